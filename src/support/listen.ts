/**
 * Host and port of an address to listen on: `HOST:PORT`, `[IPV6]:PORT`, `:PORT` or `PORT`. The host is left out where
 * the text has none. Undefined for anything else.
 */
export function parseListen(text: string): { host?: string; port: number } | undefined {
  const found = /^(?:(?:\[([0-9A-Fa-f:.]+(?:%\w+)?)\]|([^\s:[\]/]*)):)?(\d{1,5})$/.exec(text.trim());
  const port = Number(found?.[3]);
  if (!found || port > 65_535) return undefined;
  const host = found[1] ?? found[2];
  return host ? { host, port } : { port };
}
