import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { getRawAsset, isSea } from 'node:sea';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Context } from 'hono';

const TYPES: Record<string, string> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Every file that pages load, and the parts it is put together from. */
const FILES: Record<string, string[]> = {
  'scout.css': ['colours.css', 'base.css', 'frame.css', 'forms.css', 'fleet.css', 'server.css', 'narrow.css'],
  'scout.svg': ['scout.svg'],
  'live.js': ['live.js'],
  'times.js': ['times.js'],
  'charts.js': ['charts.js'],
  'uplot.css': ['uplot.css'],
  'uplot.js': ['uplot.js'],
};
/** Where uPlot's files come from while there is no bundle. */
const ORIGINS: Record<string, string> = { 'uplot.css': 'uplot/dist/uPlot.min.css', 'uplot.js': 'uplot/dist/uPlot.iife.min.js' };

interface Asset {
  body: Buffer<ArrayBuffer>;
  packed: Buffer<ArrayBuffer>;
  type: string;
  tag: string;
}

/** The files that pages load, held in memory. In the bundle they all stand in the folder `assets` beside it, in the single executable within. */
export class Assets {
  readonly #assets = new Map<string, Asset>();

  /** Reads them all. Throws when one is missing, as an installation that is not whole should not start. */
  load(): this {
    for (const [name, parts] of Object.entries(FILES)) {
      const body = Buffer.concat(parts.map((part) => contentOf(part)));
      const tag = createHash('sha256').update(body).digest('base64url').slice(0, 16);
      this.#assets.set(name, { body, packed: gzipSync(body, { level: 9 }), type: TYPES[name.split('.').at(-1) ?? ''] ?? '', tag });
    }
    return this;
  }

  /** Address of a file, with its hash, so that browsers may keep it for ever. */
  url(name: string): string {
    return `/assets/${name}?v=${this.#assets.get(name)?.tag ?? ''}`;
  }

  /** Answers `GET /assets/:name`. */
  serve(c: Context): Response {
    const asset = this.#assets.get(c.req.param('name') ?? '');
    if (!asset) return c.text('There is no such file.', 404);
    const etag = `"${asset.tag}"`;
    const keep = c.req.query('v') === asset.tag ? 'public, max-age=31536000, immutable' : 'no-cache';
    const headers: Record<string, string> = { ETag: etag, 'Cache-Control': keep, Vary: 'Accept-Encoding' };
    const known = c.req.header('if-none-match')?.split(/\s*,\s*/) ?? [];
    if (known.some((one) => one.replace(/^W\//, '') === etag)) return new Response(null, { status: 304, headers });
    headers['Content-Type'] = asset.type;
    const gzip = /\bgzip\b/.test(c.req.header('accept-encoding') ?? '');
    if (gzip) headers['Content-Encoding'] = 'gzip';
    return new Response(gzip ? asset.packed : asset.body, { headers });
  }
}

function contentOf(name: string): Buffer {
  return isSea() ? Buffer.from(getRawAsset(`assets/${name}`)) : readFileSync(placeOf(name));
}

function placeOf(name: string): string {
  const origin = ORIGINS[name];
  const beside = fileURLToPath(new URL(`./assets/${name}`, import.meta.url));
  if (origin === undefined || existsSync(beside)) return beside;
  return createRequire(import.meta.url).resolve(origin);
}
