import { runAgent } from './main.ts';

/* The process that lives for months; started by process.ts with the program's path before the arguments of `run`. */
void runAgent(process.argv[2] as string, process.argv.slice(3));
