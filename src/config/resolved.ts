import type { Problem } from '../support/errors.ts';
import type { Config } from './schema.ts';
import type { Origin } from './tree.ts';

/** Where a value came from. */
export type Source = 'default' | Origin;

/** One value of the effective configuration, as `--check-config` lists it. */
export interface ResolvedValue {
  /** Canonical name: `api.key`. */
  name: string;
  /** Masked when secret. */
  value: unknown;
  secret: boolean;
  /** First 12 hex digits of the SHA-256 of what would be sent; secrets only. */
  fingerprint?: string;
  source: Source;
}

/** What the checker found; `config` is there exactly when no problem is an error. */
export interface Resolution {
  ok: boolean;
  /** The file found, null when everything came from the environment. */
  file: string | null;
  values: ResolvedValue[];
  problems: Problem[];
  /** The configuration with its secrets opened. Crosses a pipe to the daemon; never printed. */
  config?: Config;
  /** Every file and folder that, when it changes, calls for a reload: the file, conf.d, key files, certificates. */
  watch: string[];
}
