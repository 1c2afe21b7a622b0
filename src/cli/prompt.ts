import { stripVTControlCharacters } from 'node:util';
import { ScoutError } from '../support/errors.ts';

const ENTER = /[\r\n\u0004]/;
const INTERRUPT = '\u0003';
const ERASE = /[\u007f\b]/;

/** Runs prompts with the echo off throughout: what is typed ahead between two of them must not be echoed either. */
export async function withoutEcho<T>(work: () => Promise<T>): Promise<T> {
  process.stdin.setRawMode(true);
  try {
    return await work();
  } finally {
    process.stdin.setRawMode(false);
  }
}

/**
 * One answer on the terminal, inside `withoutEcho`. It ends with Enter; a key in PEM with its last line, so that no line
 * of one that is pasted is left over for the shell. What follows it in one paste is the next answer's; the marks that
 * terminals put around a paste are none of it. Throws USAGE on Ctrl-C.
 */
export function typeHidden(prompt: string, program: string): Promise<string> {
  const { stdin, stderr } = process;
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = (rest: string, settle: () => void) => {
      stdin.off('data', onData);
      stdin.pause();
      if (rest !== '') stdin.unshift(rest, 'utf8');
      stderr.write('\n');
      settle();
    };
    const onData = (chunk: string) => {
      let read = 0;
      for (const character of chunk) {
        read += character.length;
        if (character === INTERRUPT) return end('', () => reject(new ScoutError('USAGE', { detail: 'interrupted', program })));
        const text = stripVTControlCharacters(typed);
        if (ENTER.test(character) && isWhole(text)) return end(afterEnter(chunk.slice(read), character), () => resolve(text));
        if (ENTER.test(character)) typed += '\n';
        else typed = ERASE.test(character) ? [...typed].slice(0, -1).join('') : typed + character;
      }
    };
    stdin.setEncoding('utf8');
    stderr.write(prompt);
    stdin.on('data', onData);
    stdin.resume();
  });
}

/** A secret from a prompt that does not show it, or from stdin without its line end; may be empty. Throws USAGE on Ctrl-C. */
export async function readSecret(what: string, program: string): Promise<string> {
  if (process.stdin.isTTY) return withoutEcho(() => typeHidden(`${what} (not shown): `, program));
  return (await readStdin()).replace(/\r?\n$/, '');
}

/** All of stdin as text. */
export async function readStdin(): Promise<string> {
  process.stdin.setEncoding('utf8');
  let text = '';
  for await (const chunk of process.stdin) text += chunk;
  return text;
}

/** What stands after an Enter, which may be two characters. */
const afterEnter = (rest: string, enter: string): string => (enter === '\r' && rest.startsWith('\n') ? rest.slice(1) : rest);

const isWhole = (typed: string): boolean => !typed.startsWith('-----BEGIN') || /^-----END .*-----\s*$/m.test(typed);
