import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import type { Done } from '../helpers/programs.ts';

const [WINE, SERVER] = ['/usr/lib/wine/wine64', '/usr/lib/wine/wineserver64'];

/** What stands against running programs of Windows here; undefined when nothing does. */
export function obstacle(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'needs Linux on x64';
  if (!existsSync(WINE)) return 'needs wine64';
  const missing = ['unzip', 'xmllint'].filter((name) => spawnSync('which', [name]).status !== 0);
  return missing.length > 0 ? `needs ${missing.join(', ')}` : undefined;
}

/** A Windows of its own: drive C in a temporary folder, this host's files as drive Z. */
export class Wine {
  readonly folder = mkdtempSync(join(os.tmpdir(), 'scout-wine-'));
  readonly #running = new Set<ChildProcess>();
  #count = 0;

  /** Where a path of drive C lies on this host. */
  drive(path: string): string {
    return join(this.folder, 'prefix/drive_c', path.replaceAll('\\', '/'));
  }

  /** Makes the drive, as Windows 10: Node starts on no older one. */
  make(): void {
    mkdirSync(join(this.folder, 'prefix'));
    this.run('wineboot', '-i');
    this.run('reg', 'add', 'HKCU\\Software\\Wine', '/v', 'Version', '/d', 'win10', '/f');
  }

  /** Runs a program to its end. Its streams are files: Node on wine cannot write to pipes. */
  run(...command: string[]): Done {
    return this.feed('', ...command);
  }

  /** The same, with something on stdin. */
  feed(input: string, ...command: string[]): Done {
    const name = join(this.folder, String(this.#count++));
    writeFileSync(`${name}.in`, input);
    const stdio = [openSync(`${name}.in`, 'r'), openSync(`${name}.out`, 'w'), openSync(`${name}.err`, 'w')];
    const done = spawnSync(WINE, command, { stdio, env: this.#env(), cwd: this.folder, timeout: 60_000 });
    stdio.forEach(closeSync);
    return { status: done.status ?? 255, stdout: readFileSync(`${name}.out`, 'utf8'), stderr: readFileSync(`${name}.err`, 'utf8') };
  }

  /** Starts a program, and tells with which status it ended and what it said. */
  start(...command: string[]): Promise<Done> {
    const name = join(this.folder, String(this.#count++));
    const streams = [openSync(`${name}.out`, 'w'), openSync(`${name}.err`, 'w')];
    const child = spawn(WINE, command, { stdio: ['ignore', ...streams], env: this.#env(), cwd: this.folder });
    streams.forEach(closeSync);
    this.#running.add(child);
    return new Promise((resolve) =>
      child.once('exit', (code) => {
        this.#running.delete(child);
        resolve({ status: code ?? 255, stdout: readFileSync(`${name}.out`, 'utf8'), stderr: readFileSync(`${name}.err`, 'utf8') });
      }),
    );
  }

  /** Ends all that runs on it, and removes it. */
  close(): void {
    for (const child of this.#running) child.kill('SIGKILL');
    spawnSync(SERVER, ['-k'], { env: this.#env() });
    spawnSync(SERVER, ['-w'], { env: this.#env(), timeout: 20_000 });
    rmSync(this.folder, { recursive: true, force: true });
  }

  #env(): NodeJS.ProcessEnv {
    const { PATH, HOME, LANG } = process.env;
    return { PATH, HOME, LANG, WINEPREFIX: join(this.folder, 'prefix'), WINEDEBUG: '-all', WINEDLLOVERRIDES: 'mscoree,mshtml=' };
  }
}
