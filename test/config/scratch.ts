import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { type ResolveOptions, resolveConfig } from '../../src/config/resolve.ts';
import type { Resolution } from '../../src/config/resolved.ts';

/** A folder of its own for one test, removed afterwards. */
export class Scratch {
  readonly root: string;

  constructor() {
    this.root = mkdtempSync(path.join(tmpdir(), 'scout-config-'));
    onTestFinished(() => rmSync(this.root, { recursive: true, force: true }));
  }

  /** Writes a file with mode 0600, or the one given; its full path. */
  file(name: string, text: string | Buffer, mode = 0o600): string {
    const full = path.join(this.root, name);
    mkdirSync(path.dirname(full), { recursive: true });
    writeFileSync(full, text, { mode });
    return full;
  }

  /** Resolves a configuration given as text. */
  resolve(name: string, text: string, options: Partial<ResolveOptions> = {}): Resolution {
    return resolveConfig({ file: this.file(name, text), env: {}, uid: 0, ...options });
  }
}

/** A key in the form of Server Scout's. */
export const freshKey = (): string => randomBytes(32).toString('hex');

/** Code, severity and place of each problem, in short: `KEY_LENGTH 3:8`; warnings in brackets. */
export function summary(resolution: Resolution): string[] {
  return resolution.problems.map(({ code, severity, line, column }) => {
    const text = line === undefined ? code : `${code} ${line}:${column}`;
    return severity === 'warning' ? `(${text})` : text;
  });
}

/** A listed value. */
export const listed = (resolution: Resolution, name: string) => resolution.values.find((value) => value.name === name);
