import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { generated } from '../../scripts/docs.ts';
import { settingsOf, shapeOf } from '../../src/config/shape.ts';
import { freshKey, Scratch } from './scratch.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the documentation', () => {
  it.each([...generated()])('%s is up to date (npm run docs)', (file, text) => {
    expect(readFileSync(root + file, 'utf8')).toBe(text);
  });

  it('has examples that pass the check', () => {
    const text = readFileSync(`${root}docs/configuration.md`, 'utf8');
    const examples = [...text.matchAll(/```(toml|yaml|sh)\n# (\/[^\n]+)\n([\s\S]*?)```/g)];
    expect(examples.length).toBeGreaterThanOrEqual(3);
    for (const [, , file = '', body = ''] of examples) {
      const found = new Scratch().resolve(file.split('/').at(-1) as string, body.replaceAll('KEY-FROM-THE-SERVICE', freshKey()));
      expect(found.problems, file).toEqual([]);
    }
  });

  it('describes every setting', () => {
    expect(settingsOf(shapeOf()).filter((setting) => !setting.description)).toEqual([]);
  });
});
