import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/* Who may import whom (docs/architecture.md). Read from the import lines themselves. */

const src = fileURLToPath(new URL('../src', import.meta.url));
const files = globSync('**/*.ts', { cwd: src });

interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
}

const imports: Import[] = files.flatMap((from) => {
  const text = readFileSync(join(src, from), 'utf8');
  const found = text.matchAll(/^\s*(?:import|export)\s+(type\s)?[^;]*?from\s+'(\.[^']+)'|import\(\s*'(\.[^']+)'\s*\)/gm);
  return [...found].map(([, type, fixed, dynamic]) => ({
    from,
    to: relative(src, join(src, dirname(from), (fixed ?? dynamic) as string)),
    typeOnly: Boolean(type),
  }));
});
const folder = (path: string) => path.split('/')[0] as string;

const CAPABILITIES = ['config', 'secrets', 'credentials', 'rotation', 'collectors', 'delivery', 'exporters'];
const MAY: Record<string, string[]> = {
  cli: ['agent', 'hub', ...CAPABILITIES, 'protocol', 'support'],
  agent: [...CAPABILITIES, 'protocol', 'support'],
  hub: ['delivery', 'exporters', 'protocol', 'support'],
  ...Object.fromEntries(CAPABILITIES.map((name) => [name, [...CAPABILITIES, 'protocol', 'support']])),
  collectors: ['procfs', 'config', 'protocol', 'support'],
  procfs: [],
  protocol: ['support'],
  support: [],
};

describe('structure', () => {
  it('reads imports at all', () => expect(imports.length).toBeGreaterThan(100));

  it.each(Object.keys(MAY))('%s imports only what it may', (name) => {
    const allowed = [name, ...(MAY[name] as string[])];
    const wrong = imports.filter(({ from, to }) => folder(from) === name && !to.startsWith('..') && !allowed.includes(folder(to)));
    expect(wrong).toEqual([]);
  });

  it('has no folder without a rule', () => {
    expect(new Set(files.map(folder)).difference(new Set(Object.keys(MAY)))).toEqual(new Set());
  });

  it('has no cycles', () => {
    const next = Map.groupBy(
      imports.filter((one) => !one.typeOnly),
      (one) => one.from,
    );
    const state = new Map<string, 'open' | 'done'>();
    const cycles: string[] = [];
    const visit = (file: string, path: string[]): void => {
      if (state.get(file) === 'done') return;
      if (state.get(file) === 'open') {
        cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
        return;
      }
      state.set(file, 'open');
      for (const { to } of next.get(file) ?? []) visit(to, [...path, file]);
      state.set(file, 'done');
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('keeps the libraries of the commands out of the daemon', () => {
    const heavy = /from '(zod|yaml|smol-toml|commander|undici|systeminformation|hono|@hono\/[^']*|node-machine-id)'/;
    const reached = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      const text = readFileSync(join(src, file), 'utf8');
      for (const [, to] of text.matchAll(/^\s*(?:import|export)\s+(?!type\s)[^;]*?from\s+'(\.[^']+)'/gm))
        visit(relative(src, join(src, dirname(file), to as string)));
    };
    visit('agent/main.ts');
    const wrong = [...reached].filter(
      (file) => file.endsWith('.ts') && heavy.test(readFileSync(join(src, file), 'utf8').replace(/^import type .*$/gm, '')),
    );
    expect(wrong).toEqual([]);
  });

  it('keeps every file short enough to be one thing', () => {
    const long = files.filter((file) => readFileSync(join(src, file), 'utf8').split('\n').length > 300);
    expect(long).toEqual([]);
  });
});
