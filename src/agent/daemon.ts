import { runAgent } from './main.ts';

/* The process that lives for months; started by process.ts with the program's path before the arguments of `run`. */
const [, , program = '', ...args] = process.argv;
// What ps(1) and top(1) show, in place of the name of Node's thread and its flags.
process.title = ['scout-agent', 'run', ...args].join(' ');
// Node's 64 KiB lets one small buffer that lives on, such as a session of TLS, keep as much from being freed.
Buffer.poolSize = 8_192;
void runAgent(program, args);
