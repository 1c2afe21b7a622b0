import { Hono } from 'hono';
import { openapi } from '../protocol/openapi.ts';
import { PATHS } from '../protocol/wire.ts';
import { VERSION } from '../support/version.ts';
import { mountEnroll } from './enroll-api.ts';
import { Gate } from './gate.ts';
import type { Hub } from './hub.ts';
import { mountKeys } from './keys-api.ts';
import { Metrics } from './metrics.ts';
import { mountPages } from './pages/index.ts';
import { Refusal, refusalOf } from './problems.ts';
import { addressOf, headersOf } from './requests.ts';
import { whoami } from './whoami.ts';

/** Every route but the heartbeats' (ingest/ingest.ts), which the server takes before the router sees it. */
export function createApp(hub: Hub, metrics = new Metrics(), gate = new Gate(hub, metrics)): Hono {
  const app = new Hono();

  app.onError((error) => {
    const refusal = refusalOf(error);
    if (refusal.code === 'internal') hub.log?.error({ err: error }, 'a request failed');
    return refusal.response();
  });

  app.get('/healthz', (c) => c.text('ok\n'));
  app.get('/readyz', async (c) => {
    await hub.store.size().catch(() => {
      throw new Refusal('not_ready', 'The database does not answer.');
    });
    return c.text('ok\n');
  });
  app.get('/metrics', async (c) =>
    c.body(metrics.render(await hub.store.size(), hub.figures?.()), 200, { 'content-type': 'text/plain; version=0.0.4' }),
  );
  app.get('/openapi.json', (c) => c.json(openapi(VERSION)));

  app.get(PATHS.whoami, async (c) => {
    const caller = await gate.admit(headersOf(c), addressOf(c), true);
    c.header('cache-control', 'no-store');
    return c.json(await whoami(hub, gate, caller));
  });
  mountEnroll(app, hub, gate);
  for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json', PATHS.whoami, PATHS.authority]) app.all(path, onlyGet);

  mountKeys(app, hub, gate);
  mountPages(app, hub);
  return app;
}

function onlyGet(): Response {
  return new Refusal('method_not_allowed', 'This is read with GET.', { headers: { allow: 'GET, HEAD' } }).response();
}
