import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openapi } from '../../../src/hub/api/openapi.ts';
import { createApp } from '../../../src/hub/http/app.ts';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import { PATHS } from '../../../src/protocol/wire.ts';
import { tempFolder } from '../helpers.ts';

interface Operation {
  summary: string;
  security: unknown;
  parameters?: { name: string; in: string }[];
  responses: Record<string, { content: Record<string, { schema: { $ref?: string } }> }>;
}
const document = openapi('1.2.3') as {
  openapi: string;
  info: { version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
};

describe('openapi', () => {
  it('describes every route of the hub, and none that is not there', async () => {
    const folder = tempFolder();
    const store = SqliteStore.open(folder.path);
    try {
      const app = createApp({ store, now: () => 0, monotonic: () => 0, serviceId: 'x', publicOrigin: 'https://localhost' });
      const routes = app.routes
        .filter(({ method }) => method !== 'ALL')
        .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
      const described = Object.entries(document.paths).flatMap(([path, item]) =>
        Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
      );
      expect(new Set(described)).toEqual(new Set([...routes, `POST ${PATHS.heartbeats}`]));
    } finally {
      await store.close();
      folder.remove();
    }
  });

  it('refers only to what it holds, and names each parameter of a path', () => {
    const refs = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name as string);
    expect(refs.length).toBeGreaterThan(20);
    for (const name of refs) expect(document.components.schemas).toHaveProperty(name);
    for (const [path, item] of Object.entries(document.paths)) {
      const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      for (const operation of Object.values(item)) {
        const named = (operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
        expect(named, path).toEqual(wanted);
      }
    }
  });

  it('names no word that the hub never says', () => {
    const said = readFileSync(new URL('../../../src/hub/http/problems.ts', import.meta.url), 'utf8');
    const words = Object.values(document.paths).flatMap((item) =>
      Object.values(item).flatMap(({ responses }) => [...JSON.stringify(responses).matchAll(/\b[a-z]+_[a-z_]+\b/g)].map(([word]) => word)),
    );
    expect(words).toContain('key_refused');
    expect([...new Set(words)].filter((word) => !said.includes(`  ${word}: `))).toEqual([]);
  });

  it('is of version 3.1, carries the version of the hub, and the heartbeat as its schema has it', () => {
    expect(document.openapi).toBe('3.1.1');
    expect(document.info.version).toBe('1.2.3');
    expect(document.components.schemas.Heartbeat).toMatchObject({
      type: 'object',
      required: ['v', 'instance', 'sequence', 'time', 'interval', 'agent', 'host', 'metrics'],
    });
  });
});
