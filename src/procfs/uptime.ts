/** Seconds since boot, from /proc/uptime; undefined when the text is not one. */
export function parseUptime(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?) /.exec(text);
  return found ? Number(found[1]) : undefined;
}
