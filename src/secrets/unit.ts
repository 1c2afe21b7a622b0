import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const SETTING = /^(?:(LoadCredential|LoadCredentialEncrypted|SetCredentialEncrypted|ImportCredential)=)\s*(.*?)\s*$/;

/**
 * Whether the agent's unit will be handed a host key at its next start, by what stands in its files. Where systemd does not
 * tell, it is taken that it will.
 */
export function loadsHostKey(text = unitText()): boolean {
  if (text === undefined) return true;
  const sources = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, name, value] = SETTING.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    // An empty value takes back what stood before (systemd.exec(5)).
    sources.set(name, value === '' ? [] : [...(sources.get(name) ?? []), value]);
  }
  return [...sources].some(([name, values]) => values.some((value) => isThere(name, value)));
}

/** A file's path may be named; what is given by name alone comes from systemd's own folders, and is believed. */
function isThere(name: string, value: string): boolean {
  if (name === 'ImportCredential') return value.startsWith('host.key');
  const [id, source = ''] = value.split(':');
  if (id !== 'host.key') return false;
  return name === 'SetCredentialEncrypted' || !source.startsWith('/') || existsSync(source);
}

/** As `systemctl cat` prints the unit with its drop-ins: `systemctl show` of systemd 252 cannot print credentials. */
function unitText(): string | undefined {
  try {
    return execFileSync('systemctl', ['cat', 'scout-agent.service'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 10_000,
    });
  } catch {
    return undefined;
  }
}
