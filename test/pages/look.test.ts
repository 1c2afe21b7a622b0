import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { addCredential } from '../../src/hub/credentials/credentials.ts';
import { createToken } from '../../src/hub/enrol/tokens.ts';
import { addKey, rotateKey } from '../../src/hub/keys/changes.ts';
import { addUser } from '../../src/hub/people/users.ts';
import { addServer, type Registry } from '../../src/hub/servers.ts';
import { SqliteStore } from '../../src/hub/store/sqlite-store.ts';
import { Bench } from '../helpers/programs.ts';
import { barriers, Chromium, faintTexts, overflow, painted, picture, whyNot } from './browser.ts';
import { sampleFleet } from './sample-fleet.ts';

/*
 * Every page, light and dark, at three widths: nothing wider than the window, no faint text, nothing that axe-core holds
 * for serious. Pictures of all are left in artefacts/pages.
 */

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000, expect: { poll: { timeout: 20_000 } } });

const PASSWORD = 'correct horse battery';
const [HOUR, DAY] = [3_600_000, 86_400_000];
const WIDTHS = [1440, 768, 360];

describe.skipIf(whyNot() !== undefined)('every page', () => {
  const bench = new Bench();
  const browser = new Chromium();
  let store: SqliteStore;
  let pages: [name: string, path: string, chart?: string][];

  beforeAll(async () => {
    await browser.start();
    await bench.startHub();
    store = SqliteStore.open(bench.data);
    const hub: Registry = { store, now: () => Date.now(), org: 'default', actor: 'cli:root', address: '192.0.2.7' };
    await addUser(hub, 'ada', 'admin', PASSWORD);
    await addUser(hub, 'bob', 'member', PASSWORD);
    await sampleFleet(hub, 12);
    await addServer(hub, 'multi-1', 'multi', 0);
    await addServer(hub, 'old-1', 'immediate', 0);
    const { fingerprint } = await addKey(hub, 'multi-1', 'spare');
    await rotateKey(hub, 'db-1.example.org');
    await rotateKey(hub, 'old-1');
    await store.refuse((await store.serverByName('default', 'batch-7'))!.id, 401, 4, Date.now() - 180_000);
    const { credential_id: id } = await addCredential(hub, { name: 'ci', key: 'api-key', role: 'member' });
    await addCredential(hub, { name: 'ci-v2', key: 'pair', role: 'admin', lifeMs: 365 * DAY });
    await createToken(hub, { server: 'web-2', policy: 'grace', graceMs: DAY, lifeMs: HOUR, authority: null });
    pages = [
      ['fleet', '/'],
      ['server', '/servers/db-1.example.org?range=6h', 'filesystems'],
      ['server-detail', '/servers/web-1?detail=1', 'cores'],
      ['server-new', '/servers/not-yet-there'],
      ['server-refused', '/servers/batch-7'],
      ['server-multi', '/servers/multi-1'],
      ['server-ended-key', '/servers/old-1'],
      ['settings', '/servers/web-1/settings'],
      ['rotate', '/servers/db-1.example.org/rotate'],
      ['regenerate', '/servers/old-1/rotate'],
      ['retire', '/servers/db-1.example.org/retire'],
      ['add-key', '/servers/multi-1/add-key'],
      ['key', `/servers/multi-1/keys/${fingerprint}`],
      ['add-server', '/add-server'],
      ['keys', '/keys'],
      ['credentials', '/credentials'],
      ['credential', `/credentials/${id}`],
      ['tokens', '/tokens'],
      ['audit', '/audit'],
      ['people', '/users'],
      ['person', '/users/bob'],
      ['account', '/account'],
      ['nothing', '/servers/none'],
    ];
  });
  afterAll(async () => {
    await browser.stop();
    await store?.close();
    await bench.close();
  });

  const look = async (page: Page, name: string, scheme: string): Promise<void> => {
    expect(await barriers(page), `${name}, ${scheme}: axe`).toEqual([]);
    expect(await faintTexts(page), `${name}, ${scheme}: faint`).toEqual([]);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      // Charts follow the window a moment later.
      await expect.poll(() => overflow(page), { message: `${name}: wider than a window of ${width}` }).toBe(0);
      // What is narrow in the light is narrow in the dark.
      if (scheme === 'light' || width === 1440) await picture(page, `${name}-${width}-${scheme}`);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
  };

  it.each(['light', 'dark'] as const)('is readable and can be reached, %s', async (colorScheme) => {
    const context: BrowserContext = await browser.open({ colorScheme }, /status of 40[49]/);
    const page = await context.newPage();
    await page.goto(`${bench.endpoint}/sign-in`);
    await look(page, 'sign-in', colorScheme);
    await page.fill('#name', 'ada');
    await page.fill('#password', PASSWORD);
    await page.click('button.primary');
    await page.locator('table.fleet').waitFor();
    for (const [name, path, chart] of pages) {
      await page.goto(bench.endpoint + path);
      if (chart) await expect.poll(() => painted(page, chart)).toBeGreaterThan(5);
      await look(page, name, colorScheme);
    }
    await page.goto(`${bench.endpoint}/servers/node-1/rotate`);
    await page.getByRole('button', { name: 'Make the new key' }).click();
    await page.locator('#secret').waitFor();
    // A picture of a key is a key: what it holds is changed first.
    await page.locator('#secret').evaluate((field) => {
      (field as unknown as { value: string }).value = '0'.repeat(64);
    });
    await look(page, 'new-key', colorScheme);
    await context.close();
  });

  it('takes the appearance that was chosen, whatever the system says', async () => {
    const context = await browser.open({ colorScheme: 'light' });
    const page = await context.newPage();
    await page.goto(`${bench.endpoint}/account`);
    await page.fill('#name', 'bob');
    await page.fill('#password', PASSWORD);
    await page.click('button.primary');
    const ground = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    await page.getByLabel('Dark').waitFor();
    const light = await ground();
    await page.getByLabel('Dark').check();
    await page.getByRole('button', { name: 'Keep' }).click();
    await page.getByRole('status').waitFor();
    expect(await ground()).not.toBe(light);
    await page.getByLabel('As the system has it').check();
    await page.getByRole('button', { name: 'Keep' }).click();
    await expect.poll(ground).toBe(light);
    await context.close();
  });

  it('never broke its own policy, nor complained', () => expect(browser.complaints).toEqual([]));
});
