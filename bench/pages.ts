/**
 * `npm run bench:pages`: the fleet page with 5,000 servers. How long a person waits for its first byte, for all of it,
 * and until the browser has drawn it; how large it is; what live updates cost the hub. The hub runs as its own process,
 * over TLS on loopback, with a store that was filled through its own functions.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import os from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { SqliteStore } from '../src/hub/store/sqlite-store.ts';
import { freePort, HUB, Running } from '../test/helpers/programs.ts';
import { fillServer } from '../test/pages/fleet-data.ts';
import { median } from './lib.ts';

const SERVERS = Number(process.env.SERVERS ?? 5_000);
const RUNS = 30;
const LIVE_S = 30;
const PASSWORD = 'correct horse battery';
const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';

interface Timing {
  firstByte: number;
  whole: number;
  bytes: number;
}

const folder = mkdtempSync(join(os.tmpdir(), 'scout-bench-'));
const data = join(folder, 'hub');
const port = await freePort();
const origin = `https://127.0.0.1:${port}`;
let hub: Running | undefined;
try {
  hub = new Running(HUB, ['serve', '--listen', `127.0.0.1:${port}`, '--data', data, '--tls-self-signed']);
  await hub.said('ready');
  const made = spawnSync(process.execPath, [HUB, 'user', 'add', 'ada', '--role', 'admin', '--data', data], { input: `${PASSWORD}\n` });
  if (made.status !== 0) throw new Error(String(made.stderr));
  const store = SqliteStore.open(data);
  for (let i = 0; i < SERVERS; i++)
    await fillServer({ store, now: () => Date.now() }, `node-${i}.example.org`, { from: 0, interval: 600, seed: i, hostName: `node-${i}` });
  await store.close();
  const ca = readFileSync(join(data, 'ca.pem'), 'utf8');
  const cookie = await signIn(ca);

  const get = (path: string): Promise<Timing> =>
    new Promise((resolve, reject) => {
      const begin = performance.now();
      let firstByte = 0;
      request(`${origin}${path}`, { ca, headers: { cookie } }, (answer) => {
        let bytes = 0;
        answer.on('data', (chunk: Buffer) => {
          firstByte ||= performance.now() - begin;
          bytes += chunk.length;
        });
        answer.on('end', () => resolve({ firstByte, whole: performance.now() - begin, bytes }));
      })
        .on('error', reject)
        .end();
    });
  process.stdout.write(`${SERVERS} servers; ${os.cpus().length} x ${os.cpus()[0]?.model}\n`);
  for (const [name, path] of [
    ['fleet', '/'],
    ['by key age', '/?sort=age'],
    ['search', '/?q=node-49'],
    ['keys', '/keys'],
  ] as const) {
    const all: Timing[] = [];
    for (let i = 0; i < RUNS; i++) all.push(await get(path));
    const of = (what: keyof Timing) => median(all.map((one) => one[what]));
    const worst = Math.max(...all.map((one) => one.firstByte));
    process.stdout.write(
      `${name.padEnd(12)} first byte ${of('firstByte').toFixed(1)} ms (worst ${worst.toFixed(1)}), whole ${of('whole').toFixed(1)} ms, ${(of('bytes') / 1024).toFixed(0)} KiB\n`,
    );
  }

  const before = processorOf(hub.child.pid ?? 0);
  const viewers = [await watch(ca, cookie), await watch(ca, cookie), await watch(ca, cookie)];
  await new Promise((resolve) => setTimeout(resolve, LIVE_S * 1_000));
  const cost = processorOf(hub.child.pid ?? 0) - before;
  for (const end of viewers) end();
  process.stdout.write(`live         3 people watching for ${LIVE_S} s: ${((100 * cost) / LIVE_S).toFixed(1)} % of one core\n`);

  if (existsSync(CHROMIUM)) await inBrowser();
} finally {
  await hub?.end();
  rmSync(folder, { recursive: true, force: true });
}

/** Signs in; the `Cookie` header. */
function signIn(ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { origin, 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' };
    request(`${origin}/sign-in`, { method: 'POST', ca, headers }, (answer) => {
      answer.resume();
      resolve((answer.headers['set-cookie']?.[0] ?? '').split(';')[0] ?? '');
    })
      .on('error', reject)
      .end(new URLSearchParams({ name: 'ada', password: PASSWORD }).toString());
  });
}

/** Listens to the live updates of the fleet, as a page does. */
function watch(ca: string, cookie: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const out = request(`${origin}/events?view=fleet`, { ca, headers: { cookie } }, (answer) => {
      answer.resume().on('error', () => {});
      resolve(() => out.destroy());
    });
    out.on('error', reject).end();
  });
}

/** Seconds of processor that a process has used. */
function processorOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** What a browser makes of it: from the click to the first contents drawn, and to the page loaded. */
async function inBrowser(): Promise<void> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--headless', '--disable-gpu'] });
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1440, height: 900 } })).newPage();
  await page.goto(origin);
  await page.fill('#name', 'ada');
  await page.fill('#password', PASSWORD);
  await page.click('button.primary');
  await page.waitForSelector('table.fleet');
  const drawn: number[] = [];
  const loaded: number[] = [];
  for (let i = 0; i < 10; i++) {
    await page.goto(`${origin}/?sort=name&page=${i + 1}`);
    const times = await page.evaluate<{ paint: number; load: number }>(`new Promise((resolve) => {
      const read = () => resolve({
        paint: performance.getEntriesByName('first-contentful-paint')[0].startTime,
        load: performance.getEntriesByType('navigation')[0].domComplete,
      });
      const look = () => (performance.getEntriesByName('first-contentful-paint').length ? read() : requestAnimationFrame(look));
      look();
    })`);
    drawn.push(times.paint);
    loaded.push(times.load);
  }
  const html = Buffer.from(await page.content());
  process.stdout.write(
    `browser      drawn ${median(drawn).toFixed(0)} ms, loaded ${median(loaded).toFixed(0)} ms after it was asked for; as gzip it would be ${(gzipSync(html).length / 1024).toFixed(0)} KiB\n`,
  );
  await browser.close();
}
