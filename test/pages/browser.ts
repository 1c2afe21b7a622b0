import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';

/** How long a page is waited for: a machine that does much else at once takes its time. */
const PATIENCE_MS = 60_000;

/** Why the suite cannot run here; undefined when it can. In CI that is a failure, not a skip. */
export function whyNot(): string | undefined {
  if (existsSync(CHROMIUM)) return undefined;
  const reason = `There is no Chromium at ${CHROMIUM}: install it (Debian: apt-get install chromium), or name it in CHROMIUM.`;
  if (process.env.CI) throw new Error(reason);
  process.stdout.write(`Skipped: ${reason}\n`);
  return reason;
}

/** Debian's Chromium, and everything that its pages complained about. */
export class Chromium {
  readonly complaints: string[] = [];
  #browser: Browser | undefined;

  async start(): Promise<void> {
    const quiet = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
    const args = ['--no-sandbox', '--headless', '--disable-gpu', ...quiet];
    this.#browser = await chromium.launch({ executablePath: CHROMIUM, args, timeout: 2 * PATIENCE_MS });
  }

  async stop(): Promise<void> {
    await this.#browser?.close();
  }

  /** A window of its own, with no cookies; complaints that match `expected` are none. */
  async open(options: BrowserContextOptions = {}, expected?: RegExp): Promise<BrowserContext> {
    const context = await this.#browser!.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1440, height: 900 }, ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    const complain = (text: string) => {
      if (!expected?.test(text)) this.complaints.push(text);
    };
    if (options.javaScriptEnabled !== false)
      await context.addInitScript(() => {
        const page = globalThis as unknown as { document: { addEventListener(type: string, heard: (event: Violation) => void): void } };
        interface Violation {
          violatedDirective: string;
          blockedURI: string;
        }
        page.document.addEventListener('securitypolicyviolation', (event) =>
          console.error(`CSP ${event.violatedDirective} ${event.blockedURI}`),
        );
      });
    context.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complain(`${message.type()}: ${message.text()}`);
    });
    context.on('weberror', (error) => complain(`uncaught: ${error.error().message}`));
    return context;
  }
}

/** Keeps a picture of a page for people to look at. */
export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(join(root, 'artefacts/pages'), { recursive: true });
  await page.screenshot({ path: join(root, `artefacts/pages/${name}.png`), fullPage: true });
}

/** What axe-core finds wrong with a page, and holds for serious: the rule, and where. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => id + ': ' + nodes.slice(0, 3).map((node) => node.target.join(' ') + ' ' + (node.any[0]?.message ?? '')).join('; ')))`);
}

/** How far the page is wider than its window, in pixels. */
export const overflow = (page: Page): Promise<number> => page.evaluate('document.documentElement.scrollWidth - innerWidth');

/** How many pixels of a chart's canvas are of a line: in colour, and not the grey of its axes. */
export const painted = (page: Page, id: string): Promise<number> =>
  page.evaluate(`(() => {
    const canvas = document.querySelector('#plot-${id} canvas');
    if (!canvas) return 0;
    // A copy, for reading the page's own canvas would slow it down, and Chromium says so.
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      const pixel = data.slice(at, at + 3);
      if (data[at + 3] > 200 && Math.max(...pixel) - Math.min(...pixel) > 60) count++;
    }
    return count;
  })()`);

/** Texts whose contrast against what lies behind them is below 4.5 (WCAG 2.2, 1.4.3), with their ratio. */
export const faintTexts = (page: Page): Promise<string[]> =>
  page.evaluate(`(() => {
    const parse = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
      .reduce((sum, one, i) => sum + one * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = parse(getComputedStyle(at).backgroundColor);
        if (colour.length === 3 || colour[3] === 1) return colour;
      }
      return [255, 255, 255];
    };
    const faint = new Set();
    for (const element of document.querySelectorAll('body *')) {
      if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
      if (element.tagName === 'SCRIPT' || !element.checkVisibility()) continue;
      const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      if (ratio < 4.5) faint.add(element.tagName + '.' + element.className + ' ' + ratio.toFixed(2));
    }
    return [...faint];
  })()`);
