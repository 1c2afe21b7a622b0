// Runs a command with the project's dependencies installed and the pinned Node first on the PATH. Plain JavaScript
// for Node 20: on a fresh clone this is the first thing that runs, before anything is installed.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules', '.bin');
const stamp = join(root, 'node_modules', '.installed-lock');
const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
const windows = process.platform === 'win32';

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
  process.stderr.write('Installing the dependencies from package-lock.json …\n');
  const installed = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
    shell: windows,
  });
  if (installed.status !== 0) {
    process.stderr.write('npm ci failed: see its message above. Is the npm registry reachable, and is there 500 MB of free disk?\n');
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}

const pinned = join(bin, windows ? 'node.cmd' : 'node');
if (existsSync(pinned)) {
  const tried = spawnSync(pinned, ['--version'], { encoding: 'utf8', shell: windows });
  if (tried.status !== 0) {
    const missing = tried.stderr?.includes('libatomic')
      ? '\nIt wants a library that this system lacks; on Debian: apt-get install libatomic1'
      : '';
    process.stderr.write(
      `The Node that came with the dependencies does not run here:\n${tried.stderr ?? tried.error?.message}${missing}\n`,
    );
    process.exit(1);
  }
} else if (Number.parseInt(process.versions.node, 10) < 26) {
  process.stderr.write(`No Node 26 comes for this system (${process.platform} ${process.arch}): install it, then run this again.\n`);
  process.exit(1);
}

const [command, ...args] = process.argv.slice(2);
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
const done = spawnSync(windows ? command : existsSync(join(bin, command)) ? join(bin, command) : command, args, {
  stdio: 'inherit',
  env,
  shell: windows,
});
if (done.error) process.stderr.write(`${command}: ${done.error.message}\n`);
process.exit(done.status ?? 1);
