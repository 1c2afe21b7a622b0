import { readStdin, typeHidden, withoutEcho } from '../prompt.ts';
import { usage } from './common.ts';

/** A new password: typed twice without echo on a terminal, else the first line of stdin. Throws USAGE. */
export async function newPassword(): Promise<string> {
  if (!process.stdin.isTTY) return (await readStdin()).split(/\r?\n/, 1)[0] ?? '';
  return withoutEcho(async () => {
    const typed = await typeHidden('Password: ', 'scout-hub');
    if ((await typeHidden('Once more: ', 'scout-hub')) !== typed) throw usage('the two passwords are not the same');
    return typed;
  });
}
