import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPackages } from '../../packaging/build.ts';
import { table } from '../../packaging/sizes.ts';

describe('the npm package', () => {
  const folder = mkdtempSync(join(os.tmpdir(), 'scout-npm-'));
  let path = '';

  beforeAll(async () => {
    [path = ''] = await buildPackages({ out: join(folder, 'one'), version: '1.2.3', formats: ['npm'] });
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is the same bytes when it is built again', async () => {
    const [again] = await buildPackages({ out: join(folder, 'two'), version: '1.2.3', formats: ['npm'] });
    expect(readFileSync(again as string).equals(readFileSync(path))).toBe(true);
    expect(table([path])).toMatch(/^package .*\nscout-agent-1\.2\.3\.tgz +[01]\.\d +[23]\.\d$/);
  });

  it('holds programs, bundles and licences; no sources, tests or keys', () => {
    const files = execFileSync('tar', ['-tzf', path], { encoding: 'utf8' }).trim().split('\n');
    expect(files).toEqual(
      expect.arrayContaining([
        'package/bin/scout-agent.js',
        'package/bin/launch.js',
        'package/dist/agent/daemon.cjs',
        'package/THIRD-PARTY',
      ]),
    );
    const expected = /^package\/((bin|dist)\/[\w./-]+|package\.json|README\.md|CHANGELOG\.md|LICENSE|THIRD-PARTY|sbom\.cdx\.json)$/;
    expect(files.filter((file) => !expected.test(file) || file.endsWith('.ts'))).toEqual([]);
    const manifest = JSON.parse(execFileSync('tar', ['-xzOf', path, 'package/package.json'], { encoding: 'utf8' }));
    expect(manifest).toMatchObject({ name: 'scout-agent', version: '1.2.3', license: 'Apache-2.0' });
    expect(manifest).not.toHaveProperty('dependencies');
    expect(manifest).not.toHaveProperty('scripts');
  });

  it('installs into an empty folder, with no network and no dependency, and runs', () => {
    const place = join(folder, 'empty');
    mkdirSync(place);
    writeFileSync(join(place, 'package.json'), '{}');
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
    const npm = (...args: string[]) => execFileSync('npm', args, { cwd: place, encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] });
    npm('install', '--offline', '--omit=optional', '--no-audit', '--no-fund', path);
    for (const name of ['scout-agent', 'scout-hub']) expect(npm('exec', '--no', '--', name, '--version')).toContain('1.2.3\n');
    expect(execFileSync(join(place, 'node_modules/.bin/scout-agent'), ['sample', '--json'], { encoding: 'utf8', env })).toContain(
      'system.cpu.time',
    );
  });
});
