import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AGENT, Bench, Running, run } from '../helpers/programs.ts';
import { Chromium, picture, whyNot } from './browser.ts';

/*
 * An admin's day, with the hub and an agent as whole processes: a server is added on the page and its agent started; its
 * key is rotated, given to the agent through a pipe, and the page sees the agent take it; the old key is retired, a key
 * disabled, a credential made, and all of it stands in the audit trail.
 */

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const PASSWORD = 'correct horse battery';

describe.skipIf(whyNot() !== undefined)('an admin', () => {
  const bench = new Bench();
  const browser = new Chromium();
  let page: Page;
  let config: string;

  const open = (path: string) => page.goto(bench.endpoint + path);
  const press = (name: string | RegExp) => page.getByRole('button', { name }).click();
  const follow = (name: string | RegExp) => page.getByRole('link', { name }).first().click();
  const secret = () => page.locator('#secret').inputValue();

  beforeAll(async () => {
    await browser.start();
    await bench.startHub();
    await bench.hubCommand(['user', 'add', 'ada', '--role', 'admin'], `${PASSWORD}\n`);
    page = await (await browser.open({}, /status of 4\d\d/)).newPage();
  });
  afterAll(async () => {
    await browser.stop();
    await bench.close();
  });

  it('signs in, adds a server, and sees its agent report', async () => {
    await open('/');
    await page.fill('#name', 'ada');
    await page.fill('#password', PASSWORD);
    await press('Sign in');
    await page.getByRole('heading', { name: 'No servers yet' }).waitFor();
    await follow('Add a server');
    await page.getByLabel('Name').fill('web-1');
    await press('Register it');
    config = bench.configure('web-1', await secret(), 'interval: 1s\n');
    await follow('To web-1');
    await page.getByRole('heading', { name: 'No heartbeat yet' }).waitFor();
    const agent = new Running(AGENT, ['run', '--config', config]);
    await page.locator('.overview .state.alive').waitFor();
    expect(agent.child.exitCode).toBeNull();
    await page.locator('figure.chart').first().waitFor();
    await page.locator('#mounts-title').waitFor();
    await picture(page, 'walk-server');
  });

  it('rotates its key with a window, and sees live when the agent uses the new one', async () => {
    await follow('Rotate…');
    await page.getByLabel('The old key goes on working for').fill('1h');
    await press('Make the new key');
    const key = await secret();
    await follow('Watch the server take it');
    await page.getByText('Waiting for the new key.').waitFor();
    await page
      .getByText(/ends in 5\dm/)
      .first()
      .waitFor();
    await picture(page, 'walk-waiting');
    await page.evaluate('window.sameDocument = true');
    const rotated = await run(AGENT, ['rotate', '--new-key-stdin', '--config', config], { input: `${key}\n` });
    expect(rotated.status, rotated.stderr).toBe(0);
    await page.getByText('New key in use').waitFor();
    expect(await page.evaluate('window.sameDocument')).toBe(true);
    await picture(page, 'walk-in-use');
    // Going back asks for the form again and not for the page: what was shown once is not there.
    await expect(page.goBack()).rejects.toThrow('ERR_CACHE_MISS');
    const next = await page.context().newPage();
    await page.close();
    page = next;
  });

  it('retires the old key, and regenerates under an immediate policy with its warning', async () => {
    await open('/servers/web-1/retire');
    // The agent may have retired it already, as it does once the new one is proven.
    const button = page.getByRole('button', { name: 'Retire now' });
    if ((await button.count()) > 0) await button.click();
    await open('/servers/web-1/settings');
    await page.getByRole('radio', { name: /^Immediate/ }).check();
    await press('Keep');
    await page.getByText('policy immediate').waitFor();
    await follow('Regenerate…');
    await page.getByText('The old key is dead at once.').waitFor();
    await press(/^Regenerate/);
    const key = await secret();
    await follow('Watch the server take it');
    const rotated = await run(AGENT, ['rotate', '--new-key-stdin', '--config', config], { input: `${key}\n` });
    expect(rotated.status, rotated.stderr).toBe(0);
    await page.locator('.overview .state.alive').waitFor();
    await page.getByText(/ended keys?/).waitFor();
    await picture(page, 'walk-regenerated');
  });

  it('disables a key under multi, makes credentials and tokens, adds somebody', async () => {
    await open('/servers/web-1/settings');
    await page.getByRole('radio', { name: /^Multi/ }).check();
    await press('Keep');
    await follow('Add a key…');
    await page.getByLabel('Name').fill('spare');
    await press('Make the key');
    await follow('To the server');
    await page.getByRole('row', { name: /spare/ }).getByRole('link', { name: 'Change…' }).click();
    await press('Disable');
    await page.getByText('The key is refused until it is enabled again.').waitFor();
    await page.getByRole('row', { name: /spare/ }).getByText('disabled').waitFor();

    await open('/credentials');
    await page.getByLabel('Name').fill('ci');
    await page.getByRole('radio', { name: /^Make an API key here/ }).check();
    await press('Add it');
    expect(await secret()).toMatch(/^[0-9a-f]{64}$/);
    await follow('To the credentials');
    await follow('ci');
    await press('Disable');
    await page.getByRole('row', { name: /^ci/ }).getByText('disabled').waitFor();

    await open('/tokens');
    await page.getByLabel('For the server').fill('web-2');
    await press('Make the token');
    expect(await secret()).toMatch(/^enroll1_/);
    await follow('To the tokens');
    await press(/^Revoke/);
    await page.getByText('The token is refused from now on.').waitFor();

    await open('/users');
    await page.getByLabel('Name').fill('bob');
    await page.getByLabel('First password').fill(PASSWORD);
    await press('Add');
    await page.getByRole('row', { name: /^bob/ }).waitFor();
  });

  it('finds all of it in the audit trail, verified, and signs out', async () => {
    await open('/audit');
    await page.getByText('verified').waitFor();
    const done = await page.locator('.audit code').allTextContents();
    for (const action of [
      'server.add',
      'key.rotate',
      'key.add',
      'key.disable',
      'server.change',
      'credential.add',
      'credential.disable',
      'token.create',
      'token.revoke',
      'user.add',
    ])
      expect(done, action).toContain(action);
    await picture(page, 'walk-audit');
    await page.getByLabel('What', { exact: true }).fill('disable');
    await press('Filter');
    expect(new Set(await page.locator('.audit code').allTextContents())).toEqual(new Set(['key.disable', 'credential.disable']));
    await press('Sign out');
    await page.waitForURL('**/sign-in');
    await open('/audit');
    expect(page.url()).toContain('/sign-in');
  });

  it('saw no page break its own policy', () => expect(browser.complaints).toEqual([]));
});
