import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AGENT, HUB } from '../helpers/programs.ts';

/** Makes this Node say that it is another, before the launcher looks. */
const pretend = (version: string) => [
  '--import',
  `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'${version}'})`,
];
const start = (launcher: string, args: string[]) =>
  spawnSync(process.execPath, [...pretend('20.1.0'), launcher, ...args], { encoding: 'utf8' });

describe('the launcher under an older Node', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(os.tmpdir(), 'scout-launch-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('goes on with the pinned one beside it, and hands through arguments and status', () => {
    expect(start(AGENT, ['--version'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    expect(start(AGENT, ['--no-such-option'])).toMatchObject({ status: 64 });
  });

  it('says which version it needs where there is none', () => {
    cpSync(join(AGENT, '..'), join(folder, 'bin'), { recursive: true });
    const { status, stderr } = start(join(folder, 'bin/scout-agent.js'), ['--version']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/NODE_TOO_OLD: this is Node 20\.1\.0, and scout-agent needs 26 or newer\n {2}Run `npm ci`/);
  });
});

it('goes by NO_COLOR, whatever FORCE_COLOR says, and is silent about it', () => {
  const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '1' };
  const { status, stderr } = spawnSync(process.execPath, [AGENT, 'config', 'schema'], { encoding: 'utf8', env });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

describe('NODE_DEBUG, with which Node prints the headers that it sends', () => {
  it.each([
    ['scout-agent', AGENT],
    ['scout-hub', HUB],
  ])('is not obeyed by %s, which says so, and hands all else through', (name, launcher) => {
    const env = { ...process.env, NODE_DEBUG: 'https,http,tls,net,child_process,timer,stream' };
    const flags = ['--stack-trace-limit=3'];
    const done = spawnSync(process.execPath, [...flags, launcher, '--version'], { encoding: 'utf8', env });
    expect(done).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    // What this Node says before the launcher begins is of its own modules; after the notice there is nothing.
    const [, after] = done.stderr.split(`${name}: NODE_DEBUG is not obeyed: it would show the key\n`);
    expect(after).toBe('');
    expect(spawnSync(process.execPath, [launcher, '--no-such-option'], { env })).toMatchObject({ status: 64 });
  });
});
