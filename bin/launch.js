// Finds a Node that is new enough, then the program. Plain JavaScript that Node 20 can read: it runs before we know
// which Node this is.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const NEEDED = 26;
const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Starts `name` (agent or hub) from its bundle, or from the sources where there is none. */
export async function launch(program, name) {
  // With both set Node goes by FORCE_COLOR, and says so on stderr.
  if (process.env.NO_COLOR) delete process.env.FORCE_COLOR;
  if (Number.parseInt(process.versions.node, 10) < NEEDED) return relaunch(program, pinned());
  if (process.env.NODE_DEBUG) return withoutDebug(program);
  const bundle = at(`../dist/${name}/main.js`);
  const { main } = await import(existsSync(bundle) ? bundle : at(`../src/cli/${name}.ts`));
  await main(process.argv.slice(2));
}

// Node prints what it sends where this asks for it: the key in the header, the password of a proxy. It has noted that
// before anything of ours ran, so that only a process that never saw it keeps silent.
function withoutDebug(program) {
  delete process.env.NODE_DEBUG;
  process.stderr.write(`${program}: NODE_DEBUG is not obeyed: it would show the key\n`);
  if (!process.execve) return relaunch(program, process.execPath, process.env.NODE_OPTIONS);
  process.execve(process.execPath, [process.argv0, ...process.execArgv, ...process.argv.slice(1)], process.env);
}

function relaunch(program, node, options = '') {
  if (!node) {
    process.stderr.write(
      `error NODE_TOO_OLD: this is Node ${process.versions.node}, and ${program} needs ${NEEDED} or newer\n  Run \`npm ci\` beside it (it brings the right Node), or install Node ${NEEDED}.\n`,
    );
    process.exitCode = 1;
    return;
  }
  // NODE_OPTIONS was meant for the other Node; a flag unknown to this one would end it.
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit', env: { ...process.env, NODE_OPTIONS: options } });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 1;
    if (signal) process.kill(process.pid, signal);
  });
}

function pinned() {
  const os = process.platform === 'win32' ? 'win' : process.platform;
  try {
    const manifest = createRequire(import.meta.url).resolve(`node-${os}-${process.arch}/package.json`);
    const node = manifest.replace(/package\.json$/, process.platform === 'win32' ? 'bin/node.exe' : 'bin/node');
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined;
  }
}
