import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { HUB } from '../helpers/programs.ts';

/* Prompts on a real terminal, which script(1) makes: what is typed is not shown, and nothing of it gets lost or left over. */

const folder = mkdtempSync(join(os.tmpdir(), 'scout-prompt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A terminal with `scout-hub user add` in it. */
class Terminal {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<number | null>;
  shown = '';

  constructor(user: string) {
    const words = [process.execPath, HUB, 'user', 'add', user, '--role', 'member', '--data', folder].map((word) => `'${word}'`);
    this.#child = spawn('script', ['-qec', words.join(' '), '/dev/null']);
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.shown += chunk;
    });
  }

  /** Waits for a text, then types. */
  async type(prompt: string, text: string): Promise<void> {
    while (!this.shown.includes(prompt)) await new Promise((resolve) => this.#child.stdout.once('data', resolve));
    this.#child.stdin.write(text);
  }

  /** What the command ended with. */
  end(): Promise<number | null> {
    return this.#ended;
  }
}

describe.skipIf(spawnSync('script', ['--version']).error !== undefined)('a prompt', () => {
  const password = randomBytes(12).toString('hex');

  it('takes two answers that are pasted at once for two', async () => {
    const terminal = new Terminal('ada');
    await terminal.type('Password: ', `${password}\r${password}\r`);
    expect(await terminal.end()).toBe(0);
    expect(terminal.shown).not.toContain(password);
  });

  it('takes them one after the other, without the marks that a terminal puts around a paste', async () => {
    const terminal = new Terminal('bob');
    await terminal.type('Password: ', `\u001b[200~${password}\u001b[201~\r`);
    await terminal.type('Once more: ', `${password}\r`);
    expect(await terminal.end()).toBe(0);
    expect(terminal.shown).not.toContain(password);
  });

  it('is left with Ctrl-C', async () => {
    const terminal = new Terminal('eve');
    await terminal.type('Password: ', 'half of it\u0003');
    expect(await terminal.end()).toBe(64);
    expect(terminal.shown).toContain('interrupted');
    expect(terminal.shown).not.toContain('half');
  });
});
