import { usage } from './common.ts';

const ENTER = /[\r\n\u0004]/;
const INTERRUPT = '\u0003';
const ERASE = /[\u007f\b]/;

/** A new password: typed twice without echo on a terminal, else the first line of stdin. Throws USAGE. */
export async function newPassword(): Promise<string> {
  if (!process.stdin.isTTY) return firstLine();
  // Over both prompts: what is typed ahead must not be echoed either.
  process.stdin.setRawMode(true);
  try {
    const typed = await typeHidden('Password: ');
    if ((await typeHidden('Once more: ')) !== typed) throw usage('the two passwords are not the same');
    return typed;
  } finally {
    process.stdin.setRawMode(false);
  }
}

async function firstLine(): Promise<string> {
  process.stdin.setEncoding('utf8');
  let text = '';
  for await (const chunk of process.stdin) text += chunk;
  return text.split(/\r?\n/, 1)[0] ?? '';
}

function typeHidden(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = (settle: () => void) => {
      stdin.off('data', onData);
      stdin.pause();
      stderr.write('\n');
      settle();
    };
    const onData = (chunk: string) => {
      for (const character of chunk) {
        if (character === INTERRUPT) return end(() => reject(usage('interrupted')));
        if (ENTER.test(character)) return end(() => resolve(typed));
        typed = ERASE.test(character) ? [...typed].slice(0, -1).join('') : typed + character;
      }
    };
    stdin.setEncoding('utf8');
    stderr.write(prompt);
    stdin.on('data', onData);
    stdin.resume();
  });
}
