import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DutyFlags, dutiesOf, withDuties } from '../../../src/cli/hub/duties.ts';
import { tempFolder } from '../../hub/helpers.ts';
import { scoutHub } from './helpers.ts';

let folder: ReturnType<typeof tempFolder>;
beforeEach(() => {
  folder = tempFolder();
});
afterEach(() => folder.remove());

const read = (...args: string[]) => dutiesOf(withDuties(new Command().exitOverride()).parse(args, { from: 'user' }).opts<DutyFlags>());

describe('the options of what runs beside the server', () => {
  it('ask for roll-ups of a month and nothing else, unless given', async () => {
    expect(await read()).toEqual({ historyMs: 30 * 86_400_000 });
    expect(await read('--history', '0s')).toEqual({ historyMs: 0 });
  });

  it('are read', async () => {
    const args = [
      '--forward-otlp',
      'https://otel.example.com:4318/',
      '--forward-header-file',
      'h',
      '--forward-ca',
      'c',
      '--forward-from',
      'start',
    ];
    const { forward } = await read(...args);
    expect(forward).toEqual({ url: 'https://otel.example.com:4318', headerFile: 'h', caFile: 'c', from: 'start' });
    const { webhook } = await read('--webhook', 'http://127.0.0.1:1/x', '--webhook-secret-file', 's', '--webhook-grace', '1m');
    expect(webhook).toEqual({ url: 'http://127.0.0.1:1/x', secretFile: 's', caFile: undefined, graceMs: 60_000 });
  });

  it.each([
    ['--forward-otlp http://engine.example.com', 'ENDPOINT_PLAIN_HTTP'],
    ['--forward-otlp engine:4318', 'CONFIG_VALUE'],
    ['--forward-otlp https://ann:pw@engine.example.com', 'CONFIG_VALUE'],
    ['--forward-header-file h', 'USAGE'],
    ['--forward-from here', 'USAGE'],
    ['--webhook https://x.example.com', 'USAGE'],
    ['--webhook-secret-file s', 'USAGE'],
    ['--webhook https://x.example.com --webhook-secret-file s --webhook-grace soon', 'USAGE'],
    ['--history long', 'USAGE'],
  ])('are refused: %s', async (args, code) => {
    await expect(read(...args.split(' '))).rejects.toMatchObject({ code });
  });

  it('end the start when a secret cannot be used, which is not shown', async () => {
    const secret = `whsec_${randomBytes(8).toString('base64')}`;
    writeFileSync(join(folder.path, 'secret'), secret, { mode: 0o600 });
    const args = ['serve', '--data', folder.path, '--listen', '127.0.0.1:0', '--tls-self-signed'];
    const done = await scoutHub([...args, '--webhook', 'https://127.0.0.1:1', '--webhook-secret-file', join(folder.path, 'secret')]);
    expect(done.status).toBe(78);
    expect(done.stderr).toContain('HUB_SECRET_FILE');
    expect(done.stderr).not.toContain(secret.slice(6, 14));
  });
});
