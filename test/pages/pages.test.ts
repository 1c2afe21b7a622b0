import { createHash } from 'node:crypto';
import { request } from 'node:https';
import { zstdCompressSync } from 'node:zlib';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { SqliteStore } from '../../src/hub/store/sqlite-store.ts';
import type { Heartbeat } from '../../src/protocol/heartbeat.ts';
import { Bench } from '../helpers/programs.ts';
import { barriers, Chromium, faintTexts, overflow, painted, whyNot } from './browser.ts';
import { type FakeHost, fillServer } from './fleet-data.ts';
import { sampleFleet } from './sample-fleet.ts';

/*
 * The pages as people see them: the hub's own process over TLS, Debian's Chromium, servers with a past.
 */

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000, expect: { poll: { timeout: 20_000 } } });

const PASSWORD = 'correct horse battery';
const HOUR = 3_600_000;
const CHARTS = ['cpu', 'load', 'memory', 'pressure', 'disk', 'network', 'filesystems'];

describe.skipIf(whyNot() !== undefined)('pages in Chromium', () => {
  const bench = new Bench();
  const browser = new Chromium();
  const windows: BrowserContext[] = [];
  let store: SqliteStore;
  let live: { key: string; host: FakeHost };

  const open = async (options: Parameters<Chromium['open']>[0] = {}, expected?: RegExp): Promise<Page> => {
    const context = await browser.open(options, expected);
    windows.push(context);
    return context.newPage();
  };
  const go = (page: Page, path: string) => page.goto(bench.endpoint + path);
  const signIn = async (page: Page, path = '/', password = PASSWORD) => {
    await go(page, path);
    await page.fill('#name', 'ada');
    await page.fill('#password', password);
    await page.click('button.primary');
  };
  const names = (page: Page) => page.locator('table.fleet tbody th a').allTextContents();

  /** A heartbeat as an agent sends it, over TLS. */
  const send = (beat: Heartbeat): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/x-ndjson', 'content-encoding': 'zstd', 'x-api-key': live.key };
      const out = request(`${bench.endpoint}/api/v1/heartbeats`, { method: 'POST', headers, ca: bench.ca }, (answer) => {
        answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
      });
      out.on('error', reject).end(zstdCompressSync(`${JSON.stringify(beat)}\n`));
    });

  beforeAll(async () => {
    await browser.start();
    await bench.startHub();
    await bench.hubCommand(['user', 'add', 'ada', '--role', 'admin'], `${PASSWORD}\n`);
    store = SqliteStore.open(bench.data);
    live = await sampleFleet({ store, now: () => Date.now() }, 120);
  });
  afterEach(async () => {
    for (const window of windows.splice(0)) await window.close();
  });
  afterAll(async () => {
    await browser.stop();
    await store?.close();
    await bench.close();
  });

  it('refuses a wrong password and lets the right one in, to where it was wanted', async () => {
    const page = await open({}, /status of 403/);
    await signIn(page, '/servers/web-1', 'wrong horse battery');
    expect(await page.getByRole('alert').textContent()).toBe('Name or password is wrong.');
    expect(await page.inputValue('#name')).toBe('ada');
    expect(await page.inputValue('#password')).toBe('');
    expect(await page.evaluate('document.activeElement.id')).toBe('password');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await page.waitForURL('**/servers/web-1');
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('web-1');
  });

  it('shows the fleet, finds and sorts while one types', async () => {
    expect(await send(live.host.beat(Date.now()))).toBe(200);
    const page = await open();
    await signIn(page);
    await page.waitForURL((url) => url.pathname === '/');
    expect((await names(page)).slice(0, 3)).toEqual(['batch-7', 'cache-2', 'not-yet-there']);
    expect(await page.locator('.count').allTextContents()).toEqual(['125 all', '1 silent', '1 late', '0 refused', '1 never', '122 alive']);
    await page.evaluate('window.sameDocument = true');
    await page.getByRole('searchbox').fill('EXAMPLE');
    await expect.poll(() => names(page)).toEqual(['db-1.example.org']);
    expect(page.url()).toContain('q=EXAMPLE');
    await page.getByRole('searchbox').fill('');
    await expect.poll(async () => (await names(page)).length).toBe(100);
    expect(page.url()).not.toContain('q=');
    await page.getByRole('link', { name: 'Server', exact: true }).click();
    await expect.poll(() => page.locator('th[aria-sort]').textContent()).toContain('Server');
    expect(await page.evaluate('document.activeElement.id')).toBe('sort-name');
    await page.getByRole('link', { name: 'Next' }).click();
    await expect.poll(() => names(page)).toContain('web-1');
    await page.goBack();
    await expect.poll(() => names(page)).not.toContain('web-1');
    await page.locator('#count-late').click();
    await expect.poll(() => names(page)).toEqual(['cache-2']);
    expect(await page.evaluate('window.sameDocument')).toBe(true);
  });

  it('shows a heartbeat that came in meanwhile, without a reload', async () => {
    const page = await open();
    await signIn(page, '/?q=web-1');
    const accepted = page.locator('td[data-label=accepted]');
    const before = Number(String(await accepted.textContent()).replace(/\D/g, ''));
    expect(await send(live.host.beat(Date.now()))).toBe(200);
    await expect.poll(async () => Number(String(await accepted.textContent()).replace(/\D/g, '')), { timeout: 60_000 }).toBe(before + 1);
    // By the stream, not by asking again and again.
    const asked = await page.evaluate("performance.getEntriesByType('resource').filter((one) => one.initiatorType === 'fetch').length");
    expect(asked).toBe(0);
  });

  it('tells in its title what is wrong, also while it stands in the background', async () => {
    const page = await open();
    await page.clock.install();
    await signIn(page);
    await page.locator('table.fleet').waitFor();
    expect(await page.title()).toMatch(/^1 silent, \d+ late · Fleet · Scout$/);
    await page.evaluate(`Object.defineProperty(document, 'hidden', { value: true, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'))`);
    await store.refuse((await store.serverByName('default', 'node-7'))!.id, 401, 1, Date.now());
    await page.clock.fastForward(61_000);
    await expect.poll(() => page.title()).toMatch(/^1 silent, \d+ late, 1 refused · Fleet · Scout$/);
  });

  it('draws every chart, and tells the figures under the pointer', async () => {
    const page = await open();
    await signIn(page, '/servers/web-1');
    for (const id of CHARTS) await expect.poll(() => painted(page, id), { message: id }).toBeGreaterThan(5);
    const figure = page.locator('figure', { has: page.locator('#plot-cpu') });
    const latest = await figure.locator('tbody td').first().textContent();
    expect(latest).toMatch(/^[\d.]+ %$/);
    await page.locator('#plot-cpu .u-over').hover();
    await expect.poll(() => figure.locator('[data-cursor]').textContent()).toMatch(/^at \d\d:\d\d$/);
    await page.mouse.move(0, 0);
    await expect.poll(() => figure.locator('[data-cursor]').textContent()).toBe('Latest');
    expect(await figure.locator('tbody td').first().textContent()).toBe(latest);
    await page.getByRole('link', { name: '6h' }).click();
    await page.getByRole('heading', { name: 'Last 6 hours' }).waitFor();
    expect(await painted(page, 'cpu')).toBeGreaterThan(5);
    expect(await page.locator('.plot canvas').count()).toBe(CHARTS.length);
  });

  it('tells times in the zone of whoever reads, and UTC beneath the pointer', async () => {
    const page = await open({ timezoneId: 'Asia/Kolkata', locale: 'en-GB' });
    await signIn(page, '/servers/batch-7');
    const since = page.locator('.trouble time:not([data-tick])');
    const at = new Date(String(await since.getAttribute('datetime')));
    const utc = `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
    const there = new Date(at.getTime() + 5.5 * HOUR).toISOString().slice(0, 19).replace('T', ' ');
    await expect.poll(() => since.textContent()).toMatch(new RegExp(`^${there} (GMT\\+5:30|IST)$`));
    expect(await since.getAttribute('title')).toBe(utc);
    const lately = page.locator('.overview time[data-tick=ago]').first();
    expect(await lately.getAttribute('title')).toMatch(new RegExp(`^${there} \\S+\\n${utc}$`));
    expect(await page.title()).toBe('silent · batch-7 · Scout');
  });

  it('hands out commands to copy', async () => {
    const page = await open({ permissions: ['clipboard-read', 'clipboard-write'] });
    await signIn(page, '/servers/not-yet-there');
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe('scout-agent --check-config --online\nsystemctl start scout-agent');
  });

  it('keeps what was typed in a form that cannot be done, with the cursor where it was wrong', async () => {
    const page = await open({}, /status of 400/);
    await signIn(page, '/add-server');
    await page.getByLabel('Name').fill('not/a/name');
    await page.getByRole('radio', { name: /^Multi/ }).check();
    await page.getByRole('button', { name: 'Register it' }).click();
    await page.getByRole('alert').waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe('name');
    expect(await page.inputValue('#name')).toBe('not/a/name');
    expect(await page.getByRole('radio', { name: /^Multi/ }).isChecked()).toBe(true);
    expect(await barriers(page)).toEqual([]);
    expect(await faintTexts(page)).toEqual([]);
  });

  it('prints dark on white, whatever the screen shows, and nothing to press', async () => {
    const page = await open({ colorScheme: 'dark' });
    await signIn(page, '/servers/web-1');
    await expect.poll(() => painted(page, 'cpu')).toBeGreaterThan(5);
    await page.emulateMedia({ media: 'print' });
    await expect.poll(() => page.evaluate('getComputedStyle(document.body).color')).toBe('rgb(24, 32, 43)');
    await expect.poll(() => painted(page, 'cpu')).toBeGreaterThan(5);
    for (const pressed of await page.locator('button, .button, nav.ranges').all()) expect(await pressed.isVisible()).toBe(false);
    // A page of A4: its tables stay tables.
    await page.setViewportSize({ width: 718, height: 1000 });
    await go(page, '/');
    expect(await page.evaluate("getComputedStyle(document.querySelector('table.fleet tbody tr')).display")).toBe('table-row');
    await expect.poll(() => overflow(page)).toBe(0);
  });

  it('says once what was done', async () => {
    const page = await open();
    await signIn(page, '/account');
    await page.getByRole('radio', { name: 'Light' }).check();
    await page.getByRole('button', { name: 'Keep' }).click();
    await page.getByText('The appearance is kept in this browser.').waitFor();
    await page.waitForURL((url) => url.search === '');
    await page.reload();
    expect(await page.getByText('The appearance is kept in this browser.').count()).toBe(0);
  });

  it('works without JavaScript', async () => {
    const page = await open({ javaScriptEnabled: false });
    await signIn(page);
    await page.getByRole('searchbox').fill('db-1');
    await page.getByRole('button', { name: 'Search' }).click();
    expect(await names(page)).toEqual(['db-1.example.org']);
    expect(await page.locator('#live-switch').isVisible()).toBe(false);
    await page.getByRole('link', { name: 'Refresh' }).click();
    expect(await names(page)).toEqual(['db-1.example.org']);
    await page.getByRole('link', { name: 'db-1.example.org' }).click();
    await page.getByRole('link', { name: '6h' }).click();
    expect(await page.locator('figure.chart table').count()).toBe(CHARTS.length);
    const rows = await page.locator('figure.chart', { hasText: 'File systems' }).locator('tbody tr').allTextContents();
    expect(rows.join('\n')).toMatch(/\/var\/lib\/postgresql\d+ %\d+ %\d+ %/);
    expect(await page.locator('#delivery-title + table').textContent()).toContain('(40–41, 99)');
  });

  it('says when the session has ended, and stops asking', async () => {
    const page = await open({}, /status of 401/);
    await signIn(page);
    await page.locator('table.fleet').waitFor();
    const cookie = (await page.context().cookies()).find((one) => one.name === '__Host-scout');
    expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Lax', path: '/' });
    await store.removeSession(createHash('sha256').update(cookie!.value).digest('hex'));
    await page.getByRole('link', { name: 'sign in again' }).waitFor({ timeout: 60_000 });
    expect(await page.locator('#live-switch').isChecked()).toBe(false);
  });

  it('signs out for good', async () => {
    const page = await open();
    await signIn(page, '/servers/web-1');
    await page.locator('.plot canvas').first().waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL('**/sign-in');
    await page.goBack();
    await page.waitForURL('**/sign-in?next=**');
    expect(await page.locator('.charts').count()).toBe(0);
  });

  it('can be used by keyboard alone, with the focus in sight', async () => {
    const page = await open();
    await signIn(page);
    await page.locator('table.fleet').waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    for (const id of ['live-switch', '', 'q']) {
      await page.keyboard.press('Tab');
      expect(await page.evaluate('document.activeElement.id')).toBe(id);
    }
    await page.keyboard.press('Tab');
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
  });

  it('draws the one rate that a server of two heartbeats has', async () => {
    await fillServer({ store, now: () => Date.now() }, 'new-1', { from: 15_000, seed: 6 });
    const page = await open();
    await signIn(page, '/servers/new-1');
    for (const id of ['disk', 'network']) await expect.poll(() => painted(page, id), { message: id }).toBeGreaterThan(5);
  });

  it('never broke its own policy, nor complained', () => expect(browser.complaints).toEqual([]));
});
