import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { chownSync, existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { renderConfig } from '../../config/render.ts';
import { openingOf, type ResolveOptions, resolveConfig } from '../../config/resolve.ts';
import type { Config } from '../../config/schema.ts';
import { sealHere } from '../../secrets/seal.ts';
import { syncFolder, writeAtomically } from '../../support/atomic.ts';
import { detailOf, formatProblem, ScoutError } from '../../support/errors.ts';
import { out } from '../output.ts';
import { hostKeyHere } from './candidates.ts';
import { agentGetsHostKey, type EnrollPlace, enrollOwner } from './enroll-place.ts';

/** What an enrolment writes, apart from its key. */
export interface Reach {
  endpoint: string;
  hostName?: string | undefined;
  caFile?: string | undefined;
}

/**
 * The files of one enrolment. The whole configuration, key and all, is on disk under another name before the service
 * hears of the key, and takes its place by one link: whatever process dies, the same command goes on from there.
 */
export class EnrollFiles {
  readonly #place: EnrollPlace;
  readonly #options: ResolveOptions;
  /** Certificates that this run made, to be taken away again with the rest. */
  readonly #made: string[] = [];
  sealed = false;

  constructor(place: EnrollPlace, options: ResolveOptions) {
    this.#place = place;
    this.#options = options;
  }

  /** Makes the folder where there is none. Throws FILE_UNWRITABLE. */
  prepare(): void {
    const folder = path.dirname(this.#place.file);
    if (existsSync(folder)) return;
    this.#writing(folder, () => {
      const made = mkdirSync(folder, { recursive: true, mode: 0o750 });
      const { owner } = enrollOwner(this.#options);
      if (owner && made) for (let at = folder; at.length >= made.length; at = path.dirname(at)) chownSync(at, owner.uid, owner.gid);
    });
  }

  /** Lays a certificate authority (PEM) beside the configuration; its path. Throws FILE_UNWRITABLE. */
  keepAuthority(pem: string): string {
    const print = createHash('sha256').update(new X509Certificate(pem).raw).digest('hex').slice(0, 12);
    const file = path.join(path.dirname(this.#place.base ?? this.#place.file), `ca-${print}.pem`);
    if (existsSync(file) && readFileSync(file, 'utf8') === pem) return file;
    this.#writing(file, () => writeAtomically(file, pem, 0o644));
    this.#made.push(file);
    return file;
  }

  /** The key that an earlier run made for this service and may have been heard of there. */
  keptKey(endpoint: string): string | undefined {
    if (!existsSync(this.#place.pending)) return undefined;
    const { config } = resolveConfig({ ...this.#options, env: this.#bareEnv(), file: this.#place.pending });
    return config?.api.endpoint === endpoint ? config.api.key : undefined;
  }

  /**
   * Writes the configuration under its other name, with a new key unless one is given, and reads it as it will be read.
   * Throws ENROLL_OVERRIDDEN where something else would win, the first other fault, FILE_UNWRITABLE.
   */
  stage(reach: Reach, kept: string | undefined): Config {
    const { pending, format } = this.#place;
    const key = kept ?? randomBytes(32).toString('hex');
    const { mode, owner } = enrollOwner(this.#options);
    const text = renderConfig(format, { ...reach, key: this.#sealed(key) });
    this.#writing(pending, () => writeAtomically(pending, text, mode, owner));
    try {
      return this.#check(reach, key);
    } catch (error) {
      // The service has not heard of it, unless an earlier run told it.
      if (kept === undefined) this.drop();
      throw error;
    }
  }

  /** Takes away what was staged: the service said no to it. */
  drop(): void {
    for (const file of [this.#place.pending, ...this.#made]) rmSync(file, { force: true });
  }

  /** Puts the configuration in its place. Throws ENROLL_CONFIGURED when somebody else has put one there meanwhile. */
  commit(): void {
    const { file, pending, aside } = this.#place;
    this.#writing(file, () => {
      if (aside) renameSync(aside.from, aside.to);
      // link(2) does not replace what is there, as rename(2) would.
      linkSync(pending, file);
      rmSync(pending);
      syncFolder(path.dirname(file));
    });
  }

  /** The configuration that a run put in its place before it died; what it left beside it is taken away. */
  finish(): Config | undefined {
    rmSync(this.#place.pending, { force: true });
    return resolveConfig(this.#options).config;
  }

  #sealed(key: string): string {
    const opening = openingOf(this.#options);
    if (hostKeyHere(opening) === null || !agentGetsHostKey(this.#options)) return key;
    const made = sealHere('api.key', key, opening);
    if ('fault' in made) throw ScoutError.of(made.fault);
    if (made.warning) out.note(formatProblem(made.warning));
    this.sealed = true;
    return made.token;
  }

  /** As the agent will read it: the file by itself, or beside the one that it completes. */
  #check({ endpoint, hostName, caFile }: Reach, key: string): Config {
    const { pending, base } = this.#place;
    const set = { 'api.endpoint': endpoint, 'api.key': key, 'tls.ca_file': caFile, host_name: hostName };
    const overrides = Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined));
    const { config, problems, values } = resolveConfig(
      base ? { ...this.#options, file: base, overrides } : { ...this.#options, file: pending },
    );
    const wrong = config && (config.api.key !== key ? 'api.key' : config.api.endpoint !== endpoint ? 'api.endpoint' : undefined);
    if (wrong) {
      const source = values.find((one) => one.name === wrong)?.source ?? 'default';
      const origin =
        source === 'default'
          ? 'nowhere'
          : 'variable' in source
            ? `the variable ${source.variable}`
            : 'file' in source
              ? source.file
              : source.option;
      throw new ScoutError('ENROLL_OVERRIDDEN', { name: wrong, origin });
    }
    const fault = problems.find(({ severity }) => severity === 'error');
    if (!config || fault) throw fault ? ScoutError.of(fault) : new Error('the configuration that was written cannot be read');
    return config;
  }

  /** Without the settings of the environment: those are none of the file's. */
  #bareEnv(): NodeJS.ProcessEnv {
    return Object.fromEntries(
      Object.entries(this.#options.env).filter(([name]) => name === 'SCOUT_HOST_KEY_FILE' || !/^SCOUT|SCOUT_|^AGENT_KEY$/.test(name)),
    );
  }

  #writing(file: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof ScoutError) throw error;
      if ((error as NodeJS.ErrnoException).code === 'EEXIST')
        throw new ScoutError('ENROLL_CONFIGURED', { place: `${file}, which came into being meanwhile` });
      throw new ScoutError('FILE_UNWRITABLE', { path: file, detail: detailOf(error) }, {}, { cause: error });
    }
  }
}
