import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentProgram } from '../../src/cli/agent.ts';
import { describeCommand, flatten } from '../../src/cli/completion/describe.ts';
import { completionFor } from '../../src/cli/completion/verb.ts';
import { hubProgram } from '../../src/cli/hub.ts';

const has = (shell: string) => spawnSync(shell, ['--version']).status === 0;
const PROGRAMS = { 'scout-agent': agentProgram, 'scout-hub': hubProgram };

describe('what the help knows', () => {
  it('is every verb but the hidden ones, with examples as the help has them', async () => {
    const root = describeCommand(await agentProgram());
    expect(root.commands.map(({ path }) => path.join(' '))).toEqual(expect.arrayContaining(['run', 'rotate', 'completion']));
    expect(root.commands.map(({ path }) => path[0])).not.toContain('resolve-config');
    const run = root.commands.find(({ path }) => path[0] === 'run');
    expect(run?.options.find(({ names }) => names.includes('--config'))?.takes).toEqual({ kind: 'file' });
    expect(run?.options.find(({ names }) => names.includes('--log-level'))?.takes).toMatchObject({ kind: 'choice' });
    for (const one of flatten(root)) if (one.commands.length === 0) expect(one.examples, one.path.join(' ')).not.toEqual([]);
  });
});

describe('completion', () => {
  let folder: string;
  const file = (shell: string, program: string) => join(folder, `${program}.${shell}`);
  beforeAll(async () => {
    folder = mkdtempSync(join(os.tmpdir(), 'completion-'));
    for (const [name, load] of Object.entries(PROGRAMS))
      for (const shell of ['bash', 'zsh', 'fish'] as const)
        writeFileSync(file(shell, name), await completionFor(shell, name, describeCommand(await load())));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** What bash offers for the last of these words. */
  const bash = (...words: string[]) => {
    const script = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _${words[0]?.replace('-', '_')}; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const done = spawnSync('bash', ['-c', script, file('bash', words[0] as string), ...words], { encoding: 'utf8', cwd: folder });
    expect(done.stderr).toBe('');
    return done.stdout.split('\n').filter((line) => line !== '');
  };

  it.skipIf(!has('bash'))('completes commands, options, choices and files in bash', () => {
    expect(bash('scout-agent', 'ro')).toEqual(['rotate']);
    expect(bash('scout-agent', 'config', 's')).toEqual(['show', 'schema']);
    expect(bash('scout-agent', 'rotate', '--ro')).toEqual(['--rollback']);
    expect(bash('scout-agent', 'run', '--log-level', 'w')).toEqual(['warn']);
    expect(bash('scout-agent', 'completion', 'z')).toEqual(['zsh']);
    expect(bash('scout-agent', '--config', 'scout-hub.z')).toEqual(['scout-hub.zsh']);
    expect(bash('scout-agent', 'rotate', '--if-older-than', '')).toEqual([]);
    expect(bash('scout-hub', 'key', 'rot')).toEqual(['rotate']);
  });

  it.skipIf(!has('zsh'))('is read by zsh (absent: not installed)', () => {
    for (const name of Object.keys(PROGRAMS)) {
      const script = `autoload -U compinit; compinit -u -d ${join(folder, 'dump')}; source ${file('zsh', name)}; print -r -- $_comps[${name}]`;
      const done = spawnSync('zsh', ['-f', '-c', script], { encoding: 'utf8' });
      expect(done.stderr).toBe('');
      expect(done.stdout).toBe(`_${name}\n`);
    }
  });

  it.skipIf(!has('fish'))('completes in fish (absent: not installed)', () => {
    const fish = (line: string) => {
      const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder };
      const program = line.split(' ')[0] as string;
      const done = spawnSync('fish', ['--no-config', '-c', `source ${file('fish', program)}; complete -C '${line}'`], {
        encoding: 'utf8',
        env,
      });
      expect(done.stderr).toBe('');
      return done.stdout
        .trim()
        .split('\n')
        .map((found) => found.split('\t')[0]);
    };
    expect(fish('scout-agent ro')).toEqual(['rotate']);
    expect(fish('scout-agent config s')).toEqual(['schema', 'show']);
    expect(fish('scout-agent completion ')).toEqual(['bash', 'fish', 'zsh']);
    expect(fish('scout-agent run --log-level w')).toEqual(['warn']);
    expect(fish('scout-hub server ad')).toEqual(['add']);
  });
});
