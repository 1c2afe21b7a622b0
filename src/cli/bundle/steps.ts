import { existsSync } from 'node:fs';
import { lstat, readdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { ownArguments } from '../../support/self.ts';
import { VERSION } from '../../support/version.ts';
import { type RunOptions, runArguments } from '../agent/run-options.ts';
import { doBounded, type Gathered, lastLines, runBounded } from './bounded.ts';

/** One file of a bundle, and how it comes about. */
export interface Step {
  file: string;
  /** For the manifest. */
  about: string;
  /** Others wrote it, and nothing but the redaction stands between a secret in it and the bundle. */
  foreign?: true;
  gather(ms: number): Promise<Gathered>;
}

/** Where to look. */
export interface Scene {
  options: RunOptions;
  configFile: string | null;
  state: string;
  socket: string;
  logFile: string;
  /** Process of the agent that started last. */
  pid(): Promise<number | undefined>;
  /** A call into the kernel of this very process does not return. */
  late(): void;
}

const LOG_BYTES = 1 << 20;
const LOG_LINES = 4_000;
const UNITS = ['scout-agent.service', 'scout-agent-rotate.service', 'scout-agent-rotate.timer'];

/** Everything that a bundle holds; what comes last is left out first, where time or room run out. */
export function stepsOf(scene: Scene): Step[] {
  const { options, state, socket, configFile, pid, logFile } = scene;
  const { config } = options;
  const { logFile: _file, logLevel: _level, ...folders } = options;
  const all = runArguments(folders);
  const withConfig = runArguments({ ...(config !== undefined && { config }) });
  const withState = runArguments({ ...(config !== undefined && { config }), stateDir: state });
  const own = (file: string, args: string[]): Step => ({
    file,
    about: `scout-agent ${args.filter((one) => !one.startsWith('/')).join(' ')}`,
    gather: (ms) => runBounded(process.execPath, ownArguments(process.argv[1] as string, args), ms),
  });
  const foreign = (file: string, command: string, ...args: string[]): Step => ({
    file,
    about: [command, ...args].join(' '),
    foreign: true,
    gather: (ms) => runBounded(command, args, ms),
  });
  const here = (file: string, about: string, work: () => Promise<Gathered>): Step => ({
    file,
    about,
    gather: (ms) => doBounded(work, ms, scene.late),
  });
  const systemd = existsSync('/run/systemd/system');
  const shown = [...new Set([...(configFile ? [dirname(configFile)] : []), state, dirname(socket)])];
  return [
    // First what needs neither agent nor state folder, should one of them hang.
    own('check.json', ['--check-config', '--json', ...all]),
    own('config.json', ['config', 'show', '--json', ...withConfig]),
    own('sample.json', ['sample', '--json', ...withConfig]),
    here('system.txt', 'versions, kernel, memory', system),
    ...(systemd
      ? [
          foreign('units.txt', 'systemctl', 'cat', '--no-pager', ...UNITS),
          foreign('unit-properties.txt', 'systemctl', 'show', '--no-pager', UNITS[0] as string),
          foreign(
            'journal.txt',
            'journalctl',
            '--unit=scout-agent*',
            `--lines=${LOG_LINES}`,
            '--output=short-iso',
            '--no-pager',
            '--quiet',
          ),
        ]
      : []),
    own('doctor.json', ['doctor', '--json', ...all]),
    own('status.json', ['status', '--json', ...all]),
    { ...here('log.txt', `last lines of ${logFile}`, () => log(logFile)), foreign: true },
    own('keyring.json', ['rotate', '--explain', '--json', ...withState]),
    own('audit.json', ['audit', 'show', '--json', ...withState]),
    own('audit-verify.json', ['audit', 'verify', '--json', ...withState]),
    own('outbox.json', ['outbox', 'stats', '--json', ...withState]),
    own('outbox-verify.json', ['outbox', 'verify', '--json', ...withState]),
    here('limits.txt', 'limits, memory and control group of the agent', async () => limits(await pid())),
    here('files.txt', `names, modes, owners and sizes in ${shown.join(', ')}`, () => listing(shown)),
  ];
}

/** Under systemd there is none: the journal has it. */
async function log(file: string): Promise<Gathered> {
  try {
    return await lastLines(file, LOG_BYTES);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { text: Buffer.from(`there is no ${file}\n`) };
  }
}

async function system(): Promise<Gathered> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const lines = [
    `scout-agent ${VERSION}`,
    ...Object.entries(process.versions).map(([name, version]) => `${name} ${version}`),
    `${os.type()} ${os.release()} ${os.arch()}`,
    os.version(),
    `processors ${os.availableParallelism()}`,
    `memory ${os.totalmem()} bytes, ${os.freemem()} free`,
    `up ${os.uptime()} s, load ${os.loadavg().join(' ')}`,
    `user ${process.getuid?.()}, umask ${process.umask().toString(8)}`,
    release,
  ];
  return textOf(lines);
}

async function limits(pid: number | undefined): Promise<Gathered> {
  if (pid === undefined) return { text: Buffer.from('no agent runs\n') };
  const lines = [`process ${pid}`];
  for (const name of ['cmdline', 'limits', 'status', 'cgroup', 'oom_score', 'io']) {
    const text = await readFile(`/proc/${pid}/${name}`, 'utf8').catch((error: Error) => error.message);
    lines.push('', `# ${name}`, text.replaceAll('\0', ' ').trimEnd());
  }
  return textOf(lines);
}

async function listing(folders: string[]): Promise<Gathered> {
  const lines: string[] = [];
  for (const folder of folders) {
    lines.push(await entry(folder));
    const names = await readdir(folder).catch(() => []);
    for (const name of names.sort().slice(0, 200)) lines.push(await entry(join(folder, name)));
  }
  return textOf(lines);
}

async function entry(path: string): Promise<string> {
  try {
    const { mode, uid, gid, size, mtime } = await lstat(path);
    return `${(mode & 0o177777).toString(8).padStart(6, '0')} ${uid}:${gid} ${String(size).padStart(10)} ${mtime.toISOString()} ${path}`;
  } catch (error) {
    return `${path}: ${(error as Error).message}`;
  }
}

const textOf = (lines: string[]): Gathered => ({ text: Buffer.from(`${lines.join('\n')}\n`) });
