import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Format } from '../../src/config/load.ts';
import type { ResolveOptions } from '../../src/config/resolve.ts';
import { isPlaceholder } from '../../src/credentials/key.ts';
import { ConfiguredFiles } from '../../src/rotation/configured.ts';
import { isReference, openSecret } from '../../src/secrets/open.ts';
import { sealHere } from '../../src/secrets/seal.ts';
import { made } from '../config/generate.ts';
import { attributesOf, inventory, type Layout, lay, layouts } from './layout.ts';

/*
 * A key replaced in thousands of configurations, each laid out on a real disk: the difference is the value alone.
 * EDIT_RUNS: how many of each format; a third of them are sealed.
 */

const runs = Number(process.env.EDIT_RUNS ?? (process.env.CI ? 800 : 5_000));

/** Keys of all services; what is a placeholder or a pointer does not pass the check. */
const plainKey = fc
  .oneof(fc.stringMatching(/^[0-9a-f]{64}$/), fc.stringMatching(/^[!-~]{16,40}$/))
  .filter((text) => !isPlaceholder(text) && !isReference(text));
/** Keys that need no quotes in any format: those of services, and those made here. */
const newKey = fc
  .oneof(fc.stringMatching(/^[0-9a-f]{64}$/), fc.stringMatching(/^[A-Za-z][\w-]{20,40}[A-Za-z0-9]$/))
  .filter((text) => !isPlaceholder(text) && /[a-df]/i.test(text));

/** The tests of one format. */
export function preserves(format: Format): void {
  let folder: string;
  let options: Omit<ResolveOptions, 'file'>;
  /** Sealed values with what they are. */
  const pool = new Map<string, string>();

  const seal = (text: string): string => {
    const sealed = sealHere('api.key', text, options);
    if ('fault' in sealed) throw new Error(sealed.fault.code);
    return sealed.token;
  };
  const open = (text: string): string => {
    const opened = openSecret({ label: 'api.key', field: 'api.key', text }, options);
    if (!opened.ok) throw new Error(opened.problem.code);
    return opened.value;
  };

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'scout-preserve-'));
    mkdirSync(path.join(folder, 'machine/etc'), { recursive: true });
    writeFileSync(path.join(folder, 'machine/etc/machine-id'), randomBytes(16).toString('hex'));
    options = { env: { SCOUT_HOST_KEY_FILE: path.join(folder, 'host.key') }, uid: 0, root: path.join(folder, 'machine') };
    for (let count = 0; count < 20; count++) {
      const key = count % 2 ? randomBytes(32).toString('hex') : `"it's" $${randomBytes(12).toString('base64url')}`.replaceAll(' ', '~');
      pool.set(seal(key), key);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Lays out a file, replaces the key in it, and compares all that there is with what there was. */
  function replaced(text: [before: string, raw: string, after: string], layout: Layout, old: string, to: string): string {
    const home = path.join(folder, 'home');
    rmSync(home, { recursive: true, force: true });
    mkdirSync(home);
    const mark = layout.mark && layout.where !== 'key_file' ? '\ufeff' : '';
    const { config, holder } = lay(home, format, mark + text.join(''), layout);
    const before = inventory(home);
    const attributes = layout.attribute === 'none' ? '' : attributesOf(holder);

    const configured = new ConfiguredFiles({ ...options, file: config });
    configured.check(['api.key']);
    expect(configured.replace({ 'api.key': old }, { 'api.key': to })).toBe('done');

    if (attributes !== '') expect(attributesOf(holder)).toBe(attributes);
    const whole = readFileSync(holder, 'utf8');
    const [head, tail] = [mark + text[0], text[2]];
    expect(whole.slice(0, head.length)).toBe(head);
    expect(whole.slice(whole.length - tail.length)).toBe(tail);
    const name = path.relative(home, holder);
    const now = inventory(home);
    const metadata = (all: Record<string, string>) => (all[name] as string).split(' ', 2).join(' ');
    expect(metadata(now)).toBe(metadata(before));
    expect({ ...now, [name]: '' }).toEqual({ ...before, [name]: '' });
    return whole.slice(head.length, whole.length - tail.length);
  }

  const sealedRuns = Math.ceil(runs / 3);
  const timeout = 60_000 + runs * 300;

  describe(`a key replaced in ${format}`, () => {
    it('plain stays plain: the value alone is another, in its quotes', { timeout }, () => {
      fc.assert(
        fc.property(made[format](plainKey, 'settings'), layouts(false), newKey, (one, layout, to) => {
          fc.pre(one.value !== to);
          if (layout.where === 'key_file') expect(replaced(['', one.value, layout.end], layout, one.value, to)).toBe(to);
          else expect(replaced([one.before, one.raw, one.after], layout, one.value, to)).toBe(one.wanted(to));
        }),
        { numRuns: runs - sealedRuns },
      );
    });

    it('sealed stays sealed, with another token in the same quotes', { timeout }, () => {
      const sealed = fc.nat().map((index) => [...pool.keys()][index % pool.size] as string);
      fc.assert(
        fc.property(made[format](sealed, 'settings'), layouts(true), newKey, (one, layout, to) => {
          const old = pool.get(one.value) as string;
          const alone = layout.where === 'key_file';
          const text: [string, string, string] = alone ? ['', one.value, layout.end] : [one.before, one.raw, one.after];
          const written = replaced(text, layout, old, to);
          const token = /enc:[\w:-]+/.exec(written)?.[0] ?? '';
          expect(written).toBe(alone ? token : one.wanted(token));
          expect(open(token)).toBe(to);
          expect(token).not.toBe(one.value);
        }),
        { numRuns: sealedRuns },
      );
    });
  });
}
