/** NAME, VERSION_ID and the like of os-release(5), with its quotes taken off. */
export function parseOsRelease(text: string): Record<string, string | undefined> {
  const found: Record<string, string | undefined> = {};
  for (const [, name, value = ''] of text.matchAll(/^([A-Z][A-Z0-9_]*)=(.*)$/gm)) {
    const quoted = /^(["'])(.*)\1$/.exec(value.trim());
    found[name as string] = quoted ? (quoted[2] as string).replace(/\\(["$`\\'])/g, '$1') : value.trim();
  }
  return found;
}
