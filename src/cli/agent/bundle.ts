import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, linkSync, lstatSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { formatBytes } from '../../support/durations.ts';
import { detailOf, ScoutError } from '../../support/errors.ts';
import { out } from '../output.ts';
import { example, type Verb } from '../program.ts';
import { leave } from './doctor.ts';
import { folderOptions, type RunOptions } from './run-options.ts';

/** Gathering may hang on a state folder that does; then the bundle is made without what is there. */
const SECRETS_MS = 10_000;

/** `bundle FILE`: what a maintainer needs, redacted; also of an agent that is dead or hangs. */
export const verb: Verb = (program) => {
  const command = folderOptions(
    program
      .command('bundle')
      .description('gather what a maintainer needs into one file, without secrets')
      .argument('<file>', 'the file to make, .tar.gz'),
  ).option('--log-file <file>', 'the log of the agent, where its configuration does not name it');
  example(
    command,
    'scout-agent bundle /tmp/scout-agent.tar.gz',
    'tar -xzOf /tmp/scout-agent.tar.gz scout-agent-bundle/manifest.json',
  ).action(bundle);
};

async function bundle(file: string, options: RunOptions): Promise<void> {
  const path = resolve(file);
  refuse(path);
  const [{ resolveOptions }, { resolveConfig }, { placesOf }, { makeBundle }, { knownSecrets }, { stepsOf }, { doBounded }] =
    await Promise.all([
      import('../../config/options.ts'),
      import('../../config/resolve.ts'),
      import('../doctor/patient.ts'),
      import('../bundle/bundle.ts'),
      import('../bundle/secrets.ts'),
      import('../bundle/steps.ts'),
      import('../bundle/bounded.ts'),
    ]);
  const { logFile: named, ...folders } = options;
  const resolving = resolveOptions(folders);
  const resolution = resolveConfig(resolving);
  const { state, socket } = await placesOf(options, resolution);
  // Read anew by whoever asks, and not here: the folder may hang.
  const pid = () => holderOf(join(state, 'agent.lock.pid'));
  let hangs = false;
  const late = () => {
    hangs = true;
  };
  const secrets: Awaited<ReturnType<typeof knownSecrets>> = { secrets: [], failed: [] };
  const known = doBounded(
    async () => {
      Object.assign(secrets, await knownSecrets({ resolving, file: resolution.file, state, pid }));
      return { text: Buffer.alloc(0) };
    },
    SECRETS_MS,
    late,
  ).then(({ problem }) => (problem ? { ...secrets, failed: [...secrets.failed, problem] } : secrets));
  const logFile = resolve(named ?? resolution.config?.log.file ?? join(state, 'agent.log'));
  const steps = stepsOf({ options, configFile: resolution.file, state, socket, logFile, pid, late });
  const { archive, manifest } = await makeBundle(steps, known, out.note);
  write(path, archive);
  const files = manifest.files.filter(({ left_out }) => left_out === undefined);
  const places = files.reduce((sum, { redacted }) => sum + redacted.known + redacted.patterns, 0);
  out.line(`${path}: ${files.length + 1} files, ${formatBytes(archive.length)}; ${places} ${places === 1 ? 'place' : 'places'} redacted.`);
  out.line('Look it through before you send it: manifest.json lists what is in it, and what is not.');
  if (hangs) leave(0);
}

/** The number of the process that took the agent's lock last. */
async function holderOf(path: string): Promise<number | undefined> {
  const number = Number(await readFile(path, 'latin1').catch(() => ''));
  return Number.isSafeInteger(number) && number > 0 && existsSync(`/proc/${number}`) ? number : undefined;
}

/** Before a minute is spent on it. */
function refuse(path: string): void {
  if (isThere(path)) throw new ScoutError('BUNDLE_EXISTS', { path });
  if (!existsSync(dirname(path))) throw new ScoutError('FILE_UNWRITABLE', { path, detail: 'there is no such folder' });
}

/** Whole or not at all, readable by its owner only, and never in the place of another file: link(2) does not replace. */
function write(path: string, content: Buffer): void {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      writeFileSync(fd, content);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new ScoutError('BUNDLE_EXISTS', { path });
    throw new ScoutError('FILE_UNWRITABLE', { path, detail: detailOf(error) }, {}, { cause: error });
  } finally {
    rmSync(temporary, { force: true });
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
