import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { places } from '../../config/discover.ts';
import { openingOf, type ResolveOptions, resolveConfig } from '../../config/resolve.ts';
import { KEYRING } from '../../credentials/keyring.ts';
import { SECRET_VALUES } from '../../credentials/values.ts';
import { SEALED_FIELDS } from '../../secrets/envelope.ts';
import { findHostKey, UNIT_CREDENTIALS } from '../../secrets/host-key.ts';
import { type Opening, openSecret } from '../../secrets/open.ts';

/** Everything secret that this user can find on this host, and where it could not look. */
export interface Known {
  secrets: Buffer[];
  failed: string[];
}

export interface Sources {
  resolving: ResolveOptions;
  /** The configuration file, whatever is wrong with it. */
  file: string | null;
  state: string;
  /** Process of the running agent, whose environment may hold a key. */
  pid(): Promise<number | undefined>;
}

/** Larger than any configuration, key or keyring. */
const MOST_BYTES = 1 << 20;
const SECRET_NAME = /key(?!_format)|token|secret|pass|credential(?!_id)|authorization|cookie|private|proxy/i;

/** Gathers them from configuration, keyring, environment, host key and credentials of the service manager; also from a configuration that does not parse. */
export async function knownSecrets({ resolving, file, state, pid }: Sources): Promise<Known> {
  const known = new Map<string, Buffer>();
  const failed: string[] = [];
  const add = (...found: (string | Buffer | undefined)[]) => {
    for (const one of found) if (one && one.length > 0) known.set(Buffer.from(one).toString('base64'), Buffer.from(one));
  };
  const attempt = async (place: string, work: () => Promise<void> | void, foreign = false) => {
    try {
      await work();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR' && !(foreign && code === 'EACCES'))
        failed.push(`${place}: ${code ?? 'it cannot be used'}`);
    }
  };

  await attempt('the configuration', () => {
    const { config } = resolveConfig(resolving);
    if (!config) return;
    add(
      config.api.key,
      config.api.private_key,
      config.tls.key_passphrase,
      ...config.destinations.map(({ key }) => key),
      ...parts(config.proxy),
    );
  });
  const keyFiles = new Set<string>();
  for (const path of await configurations(file))
    await attempt(path, async () => {
      const content = await text(path);
      const { words, files } = wordsOf(content, dirname(path));
      add(...words, ...sealedIn(content, openingOf(resolving)));
      for (const named of files) keyFiles.add(named);
    });
  for (const path of keyFiles) await attempt(path, async () => add((await text(path)).trim()));
  const keyring = join(state, KEYRING);
  await attempt(keyring, async () => {
    const content = await text(keyring);
    // Of a damaged one the words are all there is.
    add(...wordsOf(content, state).words);
    for (const [field, kept] of keptIn(parsed(content))) {
      const opened = openSecret({ label: field, field, text: kept }, openingOf(resolving));
      add(kept, opened.ok ? opened.value : undefined);
    }
  });
  const hostKey = findHostKey(openingOf(resolving));
  // Of these two what this user may not read, nothing that he can read repeats.
  await attempt(hostKey, async () => add((await readFile(hostKey)).subarray(0, 4_096)), true);
  for (const folder of new Set([resolving.env.CREDENTIALS_DIRECTORY, UNIT_CREDENTIALS]))
    await attempt(
      folder ?? '',
      async () => {
        for (const name of folder ? await readdir(folder) : []) add((await text(join(folder as string, name))).trim());
      },
      true,
    );
  add(...inEnvironment(Object.entries(resolving.env)));
  const running = await pid();
  if (running !== undefined)
    await attempt(`the environment of process ${running}`, async () => {
      const environment = await readFile(`/proc/${running}/environ`, 'utf8');
      add(...inEnvironment(environment.split('\0').map((line) => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)])));
    });
  return { secrets: [...known.values()], failed };
}

/** The file, its conf.d, and the other places, where an older key may lie. */
async function configurations(file: string | null): Promise<string[]> {
  const folder = file && dirname(file);
  const more = folder && !folder.endsWith('/etc') ? await readdir(join(folder, 'conf.d')).catch(() => []) : [];
  return [
    ...new Set([
      ...(file ? [file] : []),
      ...more.map((name) => join(folder as string, 'conf.d', name)),
      ...places(process.env, process.getuid?.() ?? 0),
    ]),
  ];
}

async function text(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > MOST_BYTES) throw new Error('larger than any file of ours');
  return readFile(path, 'utf8');
}

/**
 * Words of a configuration that are, or may be, secret: whatever is set under a name of a secret, and whatever reads like a
 * key; and the files that settings of keys name. The text need not parse.
 */
export function wordsOf(content: string, folder: string): { words: string[]; files: string[] } {
  const words: string[] = content.match(/-----BEGIN[\s\S]*?-----END[^-]*-----/g) ?? [];
  const files: string[] = [];
  for (const line of content.split(/\r?\n/)) {
    const [, name = '', value = ''] = /^[\s>-]*(?:export\s+)?["']?([\w.[\]-]+)["']?\s*[=:]\s*(.*)$/.exec(line) ?? [];
    const bare = value
      .replace(/\s+#.*$/, '')
      .trim()
      .replace(/^(["'])(.*)\1$/, '$2');
    if (/_file$/i.test(name) && bare) files.push(resolve(folder, bare));
    else if (SECRET_NAME.test(name) && bare.length >= 4) words.push(bare, ...parts(bare));
    for (const [, inner = '', , double, single, plain] of line.matchAll(PAIR))
      if (SECRET_NAME.test(inner))
        words.push(...([double, single, plain].filter((one) => one !== undefined && one.length >= 4) as string[]));
    words.push(...line.split(/[\s"'`,;=<>{}[\]|()/?&@:]+/).filter(readsLikeKey));
    for (const address of line.match(/\w+:\/\/[^\s"']+@/g) ?? []) words.push(...parts(`${address}x`));
  }
  return { words, files };
}

/** A name and its value within a line, as YAML and TOML have them in braces. */
const PAIR = /["']?([\w.-]+)["']?\s*([=:])\s*(?:"([^"]*)"|'([^']*)'|([^\s,"'{}[\]]+))/g;

/** Long, with letters and digits; the name of a host has dots. */
const readsLikeKey = (word: string): boolean =>
  word.length >= 16 && /\d/.test(word) && /[A-Za-z]/.test(word) && !/^[\w-]+(\.[\w-]+)+$/.test(word);

/** The secret part of an address with a user in it. */
function parts(address: string | undefined): string[] {
  if (!address || !URL.canParse(address)) return [];
  const { username, password } = new URL(address);
  const decoded = (part: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  };
  return [password, decoded(password), ...(password ? [] : [username, decoded(username)])].filter(Boolean);
}

function inEnvironment(entries: [string, string | undefined][]): string[] {
  const secret = entries.filter(([name, value = '']) => SECRET_NAME.test(name) && value.length >= 8 && !/^(\/|unix:)/.test(value));
  return secret.flatMap(([name, value = '']) => (/proxy/i.test(name) ? parts(value) : [value, ...parts(value)]));
}

/** What sealed values in a text hold, where they open here; also in a configuration that is not valid for another reason. */
function sealedIn(content: string, opening: Opening): string[] {
  const tokens = content.match(/enc:v\d+:[\w:.-]+/g) ?? [];
  return tokens.flatMap((token) =>
    SEALED_FIELDS.flatMap((field) => {
      const opened = openSecret({ label: field, field, text: token }, opening);
      return opened.ok ? [opened.value, ...parts(opened.value)] : [];
    }),
  );
}

function parsed(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

/** The secret values of a keyring, at any depth of it; an id of a credential is none. */
function keptIn(value: unknown): [field: string, text: string][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]): [string, string][] =>
    typeof inner === 'string' ? (SECRET_VALUES.includes(name) ? [[name, inner]] : []) : keptIn(inner),
  );
}
