import {
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import path from 'node:path';
import { syncFolder, writeAtomically } from '../support/atomic.ts';
import { detailOf, ScoutError } from '../support/errors.ts';
import { PLACES } from './discover.ts';
import { editText, valueAt } from './edit/edit.ts';
import { makeLike, readOriginal } from './edit/replace.ts';
import { formatOf } from './load.ts';
import { PATHS, type ResolveOptions, resolveConfig } from './resolve.ts';
import type { Resolution } from './resolved.ts';
import type { Config } from './schema.ts';
import { serviceUser } from './service-user.ts';

/** Where each old place goes; the suffix tells the format, so it stays. */
const TARGETS: Record<string, string> = {
  '/opt/scout-agent/agent.env': '/etc/scout-agent/agent.env',
  '/opt/scout-agent/agent.env.yml': '/etc/scout-agent/config.yml',
  '/opt/serverscout/config.yml': '/etc/scout-agent/config.yml',
  '/etc/observer-agent.env': '/etc/scout-agent/agent.env',
};

/** One file on its way. */
interface Move {
  from: string;
  to: string;
  /** What `from` holds, byte order mark and all, and what `to` will. */
  before: string;
  after: string;
  /** Paths that were relative to the old folder; what they name stays where it is. */
  paths: { name: string; from: string; to: string }[];
}

/** What a migration does. */
export interface Migration {
  /** The files, those of conf.d first: without the main one nobody reads them. Empty where there is nothing to move. */
  moves: Move[];
  /** The configuration as it is read, before and after. */
  config?: Config;
  /** Other configurations in old places, which nobody reads. */
  unused: string[];
}

/**
 * Plans to move the configuration that is in force from an old place to /etc/scout-agent. Throws MIGRATE_CONFLICT,
 * EDIT_REFUSED, FILE_UNREADABLE, and the first fault of the configuration.
 */
export function planMigration(options: ResolveOptions): Migration {
  const { root = '' } = options;
  const places = PLACES.map((place) => root + place);
  const isOld = (file: string) => Object.hasOwn(TARGETS, file.slice(root.length));
  const old = places.filter((file) => isOld(file) && isThere(file) && !isMoved(file, root));
  const [from, ...unused] = old;
  if (from === undefined) return { moves: [], unused };
  const to = root + (TARGETS[from.slice(root.length)] as string);
  const used = places.find((file) => !isOld(file) && isThere(file));
  if (used !== undefined && used !== to) return { moves: [], unused: old };

  const resolution = resolveConfig({ ...options, file: from });
  // What is in the new place is the same file when an earlier run was cut short; anything else is what the agent reads.
  if (used !== undefined && !isSame(move(resolution, from, to))) return { moves: [], unused: old };
  const fault = resolution.problems.find(({ severity }) => severity === 'error');
  if (!resolution.config) throw fault ? ScoutError.of(fault) : new Error('the configuration cannot be read');
  const beside = besides(from, root).map((name) =>
    move(resolution, path.join(path.dirname(from), name), path.join(path.dirname(to), name)),
  );
  const taken = beside.find((one) => isThere(one.to) && !isSame(one));
  if (taken) throw conflict(taken.from, `${taken.to} is there and holds something else`, taken.to);
  return { moves: [...beside, move(resolution, from, to)], config: resolution.config, unused };
}

const isSame = ({ to, after }: Move): boolean => readFileSync(to, 'utf8') === after;

/**
 * Does it, one step after the other, so that at each moment the agent finds one configuration that is whole; cut short,
 * the same call goes on. In the old place a link is left, or with `link` false a note. Throws MIGRATE_DIFFERS, EDIT_RACE,
 * FILE_UNWRITABLE; then all is as it was.
 */
export function migrate({ moves, config }: Migration, options: ResolveOptions, link: boolean): void {
  const made: string[] = [];
  const main = moves.at(-1);
  if (!main || !config) return;
  const unlessDifferent = (file: string) => unlessSame(config, resolveConfig({ ...options, file }), main.to);
  try {
    for (const one of moves) if (one !== main) place(one, made, () => {});
    place(main, made, unlessDifferent);
    for (const one of moves) if (readFileSync(one.from, 'utf8') !== one.before) throw new ScoutError('EDIT_RACE', { path: one.from });
  } catch (error) {
    for (const file of made.reverse()) rmSync(file, { force: true });
    throw written(main.to, error);
  }
  for (const one of moves) leave(one, link);
}

/** Whether the agent's own user, where there is one, may read a file. */
export function isReadableToService(file: string, root = ''): boolean {
  const user = serviceUser(root);
  if (!user) return true;
  const { uid, gid, mode } = statSync(file);
  return uid === user.uid ? (mode & 0o400) !== 0 : gid === user.gid ? (mode & 0o040) !== 0 : (mode & 0o004) !== 0;
}

function move(resolution: Resolution, from: string, to: string): Move {
  if (lstatSync(from).isSymbolicLink()) throw conflict(from, `it is a link to ${readFileLink(from)}`);
  const format = formatOf(from) as Exclude<ReturnType<typeof formatOf>, undefined>;
  const { text: before, mark } = readOriginal(from);
  const paths: Move['paths'] = [];
  let after = before;
  // From the end to the start, so that no place moves before its turn.
  const placed = resolution.values.flatMap(({ name, source }) =>
    PATHS.includes(name) && typeof source === 'object' && 'file' in source && source.file === from ? [{ name, ...source }] : [],
  );
  for (const spot of placed.toSorted((one, other) => other.line - one.line || other.column - one.column)) {
    const value = valueAt(format, before, spot);
    if (value === undefined || value === '' || path.isAbsolute(value)) continue;
    const absolute = path.resolve(path.dirname(from), value);
    const edited = editText(format, after, { ...spot, to: absolute });
    if (!edited.ok) throw new ScoutError('EDIT_REFUSED', { name: spot.name, path: from, detail: edited.detail, field: spot.name });
    after = edited.text;
    paths.unshift({ name: spot.name, from: value, to: absolute });
  }
  return { from, to, before: mark + before, after: mark + after, paths };
}

/** Files of conf.d, as the loader takes them. */
function besides(file: string, root: string): string[] {
  const folder = path.join(path.dirname(file), 'conf.d');
  if (path.basename(path.dirname(file)) === 'etc' || !existsSync(folder)) return [];
  // Links are what an earlier run left that was cut short.
  const names = readdirSync(folder).filter((name) => !name.startsWith('.') && formatOf(name) && !isMoved(path.join(folder, name), root));
  return names.sort().map((name) => path.join('conf.d', name));
}

/** Puts a file in its new place, whole or not at all, after `check` of it under another name; what is there is checked there. */
function place({ from, to, after }: Move, made: string[], check: (file: string) => void): void {
  const { dir, name, ext } = path.parse(to);
  const trial = path.join(dir, `.${name}.migrating${ext}`);
  rmSync(trial, { force: true });
  if (existsSync(to)) {
    check(to);
    return;
  }
  makeFolder(dir);
  try {
    const failure = makeLike(from, trial, after);
    if (failure !== undefined)
      throw new ScoutError('FILE_UNWRITABLE', { path: to, detail: `its attributes could not be kept (${failure})` });
    check(trial);
    linkSync(trial, to);
    made.push(to);
  } finally {
    rmSync(trial, { force: true });
  }
  syncFolder(dir);
}

/** A folder of root's that the agent's user may look into. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  const top = mkdirSync(folder, { recursive: true, mode: 0o750 }) as string;
  const user = process.getuid?.() === 0 ? serviceUser() : undefined;
  if (user) for (let at = folder; at.length >= top.length; at = path.dirname(at)) chownSync(at, 0, user.gid);
}

/** The settings that another reading has otherwise are named. */
function unlessSame(before: Config, { config, problems }: Resolution, to: string): void {
  const fault = problems.find(({ severity }) => severity === 'error');
  if (!config) throw fault ? ScoutError.of(fault) : new Error('the configuration cannot be read');
  const names = (Object.keys({ ...before, ...config }) as (keyof Config)[]).filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(config[name]),
  );
  if (names.length > 0) throw new ScoutError('MIGRATE_DIFFERS', { path: to, names: names.join(', ') });
}

/** What stands in the old place from now on. */
function leave({ from, to }: Move, link: boolean): void {
  const fresh = `${from}.migrating`;
  try {
    if (link) {
      rmSync(fresh, { force: true });
      symlinkSync(to, fresh);
      renameSync(fresh, from);
    } else {
      writeAtomically(`${from}.moved`, `This configuration of scout-agent is ${to} now.\n`, 0o644);
      rmSync(from);
    }
    syncFolder(path.dirname(from));
  } catch (error) {
    throw written(from, error);
  }
}

const isMoved = (file: string, root: string): boolean =>
  lstatSync(file).isSymbolicLink() && path.dirname(readFileLink(file)).startsWith(`${root}/etc/scout-agent`);

function readFileLink(file: string): string {
  return path.resolve(path.dirname(file), readlinkSync(file));
}

const isThere = (file: string): boolean => lstatSync(file, { throwIfNoEntry: false }) !== undefined;

const conflict = (from: string, detail: string, other?: string) => {
  const remedy = other === undefined ? 'Put the file itself there first' : `Bring together by hand what stands in ${other} and in ${from}`;
  return new ScoutError('MIGRATE_CONFLICT', { path: from, detail, remedy: `${remedy}; nothing was changed.` });
};

const written = (file: string, error: unknown): unknown =>
  error instanceof ScoutError || !('syscall' in (error as Error))
    ? error
    : new ScoutError('FILE_UNWRITABLE', { path: file, detail: detailOf(error) }, {}, { cause: error });
