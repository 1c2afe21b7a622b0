import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { ResolveOptions } from '../../src/config/resolve.ts';
import type { Values } from '../../src/credentials/values.ts';
import { ConfiguredFiles } from '../../src/rotation/configured.ts';
import { openSecret } from '../../src/secrets/open.ts';
import { sealHere } from '../../src/secrets/seal.ts';
import { ScoutError } from '../../src/support/errors.ts';
import { Scratch } from '../config/scratch.ts';

/** A configuration in a folder of its own, with host key and machine id elsewhere; for one test, removed afterwards. */
export class Home {
  readonly #scratch = new Scratch();
  readonly root = this.#scratch.root;
  /** The folder of the configuration alone. */
  readonly folder = path.join(this.root, 'home');

  constructor() {
    this.#scratch.file('machine/etc/machine-id', randomBytes(16).toString('hex'));
    mkdirSync(this.folder);
  }

  /** Writes a file of the configuration; its path. */
  file(name: string, text: string, mode = 0o600): string {
    return this.#scratch.file(`home/${name}`, text, mode);
  }

  /** Writes a file elsewhere. */
  aside(name: string, text: string, mode = 0o600): string {
    return this.#scratch.file(name, text, mode);
  }

  text(name: string): string {
    return readFileSync(path.join(this.folder, name), 'utf8');
  }

  options(name = 'a.yml', env: NodeJS.ProcessEnv = {}): ResolveOptions {
    return {
      file: path.join(this.folder, name),
      env: { SCOUT_HOST_KEY_FILE: path.join(this.root, 'host.key'), ...env },
      uid: 0,
      root: path.join(this.root, 'machine'),
    };
  }

  configured(name = 'a.yml', env: NodeJS.ProcessEnv = {}): ConfiguredFiles {
    return new ConfiguredFiles(this.options(name, env));
  }

  seal(field: string, plain: string): string {
    const sealed = sealHere(field, plain, this.options());
    if ('fault' in sealed) throw ScoutError.of(sealed.fault);
    return sealed.token;
  }

  open(field: string, token: string): string {
    const opened = openSecret({ label: field, field, text: token }, this.options());
    if (!opened.ok) throw ScoutError.of(opened.problem);
    return opened.value;
  }
}

/** An API key as the values of a credential. */
export const key = (one: string): Values => ({ 'api.key': one });
