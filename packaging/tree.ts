import { chmodSync, copyFileSync, lstatSync, lutimesSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** A folder that becomes a package: every mode is said, and every time is the same, whatever the umask and the clock. */
export class Tree {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Where a path of the package lies here. */
  at(path: string): string {
    return join(this.folder, path);
  }

  directory(path: string, mode = 0o755): void {
    this.#parent(path);
    mkdirSync(this.at(path), { recursive: true });
    chmodSync(this.at(path), mode);
  }

  file(path: string, content: string | Buffer, mode = 0o644): void {
    this.#parent(path);
    writeFileSync(this.at(path), content);
    chmodSync(this.at(path), mode);
  }

  /** A text, packed as Debian wants its documentation; Node's gzip writes neither name nor time. */
  gzip(path: string, content: string): void {
    this.file(path, gzipSync(content, { level: 9 }));
  }

  copy(from: string, path: string, mode = 0o644): void {
    this.#parent(path);
    copyFileSync(from, this.at(path));
    chmodSync(this.at(path), mode);
  }

  /** A folder with all that is in it, its files without rights to run. */
  copyFolder(from: string, path: string): void {
    for (const entry of readdirSync(from, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const [source, target] = [join(from, entry.name), `${path}/${entry.name}`];
      if (entry.isDirectory()) this.copyFolder(source, target);
      else this.copy(source, target);
    }
  }

  /** Paths of all files, sorted, from the root of the package. */
  files(below = ''): string[] {
    return readdirSync(this.at(below), { withFileTypes: true })
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        const path = below ? `${below}/${entry.name}` : entry.name;
        return entry.isDirectory() ? this.files(path) : [path];
      });
  }

  /** Paths of all folders, sorted, from the root of the package. */
  folders(below = ''): string[] {
    return readdirSync(this.at(below), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => (below ? `${below}/${name}` : name))
      .sort()
      .flatMap((path) => [path, ...this.folders(path)]);
  }

  /** Sets every time, the deepest first, since writing into a folder changes its own. */
  date(seconds: number, path = ''): void {
    const here = this.at(path);
    if (lstatSync(here).isDirectory()) for (const name of readdirSync(here)) this.date(seconds, join(path, name));
    lutimesSync(here, seconds, seconds);
  }

  #parent(path: string): void {
    const parent = dirname(path);
    if (path === '' || parent === '.' || parent === '/') return;
    this.#parent(parent);
    try {
      mkdirSync(this.at(parent));
      chmodSync(this.at(parent), 0o755);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
