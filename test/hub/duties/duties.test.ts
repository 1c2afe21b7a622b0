import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestHub, tempFolder } from '../helpers.ts';

let folder: ReturnType<typeof tempFolder>;
let hub: TestHub | undefined;
beforeEach(() => {
  folder = tempFolder();
});
afterEach(async () => {
  await hub?.close();
  hub = undefined;
  folder.remove();
});

describe('what runs beside the server', () => {
  it('shows its figures at /metrics, and ends with it', async () => {
    const secretFile = join(folder.path, 'secret');
    writeFileSync(secretFile, `whsec_${randomBytes(32).toString('base64')}`, { mode: 0o600 });
    const webhook = { url: 'http://127.0.0.1:9', secretFile };
    hub = await new TestHub().start({ duties: { forward: { url: 'http://127.0.0.1:9', from: 'now' }, webhook } });
    const { text } = await hub.call('/metrics', { key: null });
    for (const name of ['rollups_total', 'forwarded_total', 'forward_lost', 'forward_delay_seconds', 'notices_waiting'])
      expect(text).toMatch(new RegExp(`^scout_hub_${name} 0$`, 'm'));
  });

  it('is roll-ups alone unless asked for more, and nothing without a history', async () => {
    hub = await new TestHub().start();
    expect((await hub.call('/metrics', { key: null })).text).not.toMatch(/forward|notices/);
    await hub.close();
    hub = await new TestHub().start({ duties: { historyMs: 0 } });
    expect((await hub.call('/metrics', { key: null })).text).not.toMatch(/rollups/);
  });
});
