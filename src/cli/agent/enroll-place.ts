import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { discover } from '../../config/discover.ts';
import { configFolder } from '../../config/folders.ts';
import { type Format, formatOf } from '../../config/load.ts';
import { FILE_NAMES } from '../../config/render.ts';
import { type ResolveOptions, resolveConfig } from '../../config/resolve.ts';
import type { Resolution } from '../../config/resolved.ts';
import { serviceUser } from '../../config/service-user.ts';
import { ScoutError } from '../../support/errors.ts';

/** Where the configuration of an enrolment goes. */
export interface EnrollPlace {
  /** The file that is written. */
  file: string;
  format: Format;
  /** Where it stands until the service has taken its key and proved it. */
  pending: string;
  /** A configuration without a key, beside which `file` is laid in conf.d. */
  base?: string;
  /** An earlier run came to its very end but for taking `pending` away. */
  done?: true;
  /** A configuration that is set aside, and where. */
  aside?: { from: string; to: string };
}

const KEYS = ['api.key', 'api.key_file', 'api.private_key', 'api.private_key_file'];
const UNREAD = new Set(['CONFIG_SYNTAX', 'CONFIG_FORMAT_UNKNOWN', 'FILE_UNREADABLE', 'CONFIG_TOO_LARGE', 'CONFIG_MISSING_FILE']);

/**
 * Decides where the configuration goes: the file that was named, or the first of those that are looked at; in conf.d
 * beside one that holds settings but no key. Throws ENROLL_CONFIGURED where there is a key already (`force`: the
 * configuration is set aside), ENROLL_PLACE, USAGE and the faults of a file that cannot be read.
 */
export function enrollPlace(options: ResolveOptions, wanted: { format?: Format; force: boolean }): EnrollPlace {
  const { root = '' } = options;
  const named = options.file ?? (options.env.SCOUT_CONFIG || undefined);
  if (named !== undefined && !existsSync(named)) return fresh(path.resolve(named), wanted.format);
  const { file } = discover(options.file, options.env, options.uid, root);
  if (file === null)
    return fresh(path.join(configFolder(options.env, options.uid, root), FILE_NAMES[wanted.format ?? 'yaml']), wanted.format);

  const resolution = resolveConfig(options);
  const unread = resolution.problems.find(({ code }) => UNREAD.has(code));
  if (unread) throw ScoutError.of(unread);
  const key = keyIn(resolution);
  if (key === undefined) return beside(file, wanted.format);
  if (key.file !== undefined && isLeftOver(fresh(key.file, undefined))) return { ...fresh(key.file, undefined), done: true };
  if (!wanted.force) throw new ScoutError('ENROLL_CONFIGURED', { place: key.place });
  const to = freeName(`${file}.before-enroll`);
  if (key.file !== undefined && key.file !== file) {
    const remedy = `Move ${key.file} away, and run the command again.`;
    throw new ScoutError('ENROLL_PLACE', { path: file, detail: `a key stands in ${key.file}, and would win`, remedy });
  }
  const format = wanted.format ?? formatOf(file) ?? 'yaml';
  const place = fresh(format === formatOf(file) ? file : path.join(path.dirname(file), FILE_NAMES[format]), format);
  return { ...place, aside: { from: file, to } };
}

/** Two names of one file. */
const isLeftOver = ({ file, pending }: EnrollPlace): boolean => existsSync(pending) && statSync(pending).ino === statSync(file).ino;

function fresh(file: string, wanted: Format | undefined): EnrollPlace {
  const format = formatOf(file);
  if (!format) throw new ScoutError('CONFIG_FORMAT_UNKNOWN', { path: file });
  if (wanted !== undefined && wanted !== format)
    throw new ScoutError('USAGE', {
      detail: `--format ${wanted} does not go with the name ${path.basename(file)}`,
      program: 'scout-agent enroll',
    });
  const { dir, name, ext } = path.parse(file);
  return { file, format, pending: path.join(dir, `.${name}.enrolling${ext}`) };
}

/** A file of its own in conf.d: what a person wrote is not touched. */
function beside(base: string, format: Format | undefined): EnrollPlace {
  const folder = path.dirname(base);
  if (path.basename(folder) === 'etc') {
    const detail = 'it holds no key, and there is no conf.d beside it';
    throw new ScoutError('ENROLL_PLACE', {
      path: base,
      detail,
      remedy: 'Run `scout-agent migrate` first, or write the key there yourself.',
    });
  }
  const suffix = { yaml: 'yml', toml: 'toml', env: 'env' }[format ?? 'yaml'];
  return { ...fresh(path.join(folder, 'conf.d', `enrolled.${suffix}`), format), base };
}

/** Where the key of a configuration stands; what examples have in its place is none. */
function keyIn({ values, file, problems }: Resolution): { place: string; file?: string } | undefined {
  if (problems.some(({ code }) => code === 'KEY_PLACEHOLDER')) return undefined;
  for (const { name, value, source, fingerprint } of values) {
    if (!KEYS.includes(name) || source === 'default' || value === undefined || value === null || value === '') continue;
    const told = fingerprint ? ` (fingerprint ${fingerprint})` : '';
    if ('variable' in source) return { place: `the variable ${source.variable}${told}` };
    if ('file' in source) return { place: `${name} in ${source.file}${told}`, file: source.file };
    return { place: `${name}${told}`, ...(file !== null && { file }) };
  }
  return undefined;
}

function freeName(wanted: string): string {
  let name = wanted;
  for (let count = 2; existsSync(name); count++) name = `${wanted}.${count}`;
  return name;
}

/** Whose the files are: root's and readable by the agent's user, where root enrols for it; else the own, and closed. */
export function enrollOwner({ uid, root }: ResolveOptions): { mode: number; owner?: { uid: number; gid: number } } {
  const user = uid === 0 ? serviceUser(root) : undefined;
  return user ? { mode: 0o640, owner: { uid: 0, gid: user.gid } } : { mode: 0o600 };
}

const UNITS = ['/etc', '/run', '/usr/local/lib', '/usr/lib', '/lib'].map((folder) => `${folder}/systemd/system`);

/** Whether the agent will have the host key: not another user's process, unless its unit hands it over. */
export function agentGetsHostKey({ uid, root = '' }: ResolveOptions): boolean {
  if (uid !== 0 || !serviceUser(root)) return true;
  return UNITS.flatMap((folder) => unitFiles(`${root}${folder}`)).some((file) =>
    /^LoadCredential(Encrypted)?=host\.key[:\s]/m.test(read(file)),
  );
}

/** Whether systemd runs here and has a unit for the agent. */
export const hasUnit = (root = ''): boolean =>
  existsSync(`${root}/run/systemd/system`) && UNITS.some((folder) => existsSync(`${root}${folder}/scout-agent.service`));

function unitFiles(folder: string): string[] {
  const more = path.join(folder, 'scout-agent.service.d');
  const drops = existsSync(more) ? readdirSync(more).map((name) => path.join(more, name)) : [];
  return [path.join(folder, 'scout-agent.service'), ...drops];
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
