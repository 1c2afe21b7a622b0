import { readSecretFile, secretFile } from '../secret-file.ts';

/** Headers that the request itself decides. */
const OURS = new Set(['content-type', 'content-encoding', 'content-length', 'host', 'connection', 'transfer-encoding']);

/** Headers as curl reads them from `-H @FILE`: `Name: value`, one a line; empty lines and `#` comments are passed over. Throws HUB_SECRET_FILE. */
export function readHeaderFile(path: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [index, line] of readSecretFile(path).split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]+?)[ \t]*$/.exec(line) ?? [];
    if (!name || !value) throw secretFile(path, `line ${index + 1} is no header such as \`Authorization: Bearer …\``);
    if (OURS.has(name.toLowerCase())) throw secretFile(path, `line ${index + 1} sets a header that is the hub's own`);
    headers[name.toLowerCase()] = value;
  }
  return headers;
}
