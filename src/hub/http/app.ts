import type { Hono } from 'hono';
import { VERSION } from '../../support/version.ts';
import { mountCredentials } from '../api/credentials.ts';
import { openapi } from '../api/openapi.ts';
import { mountPeople } from '../api/people.ts';
import { mountSeries } from '../api/series.ts';
import { mountServers } from '../api/servers.ts';
import { mountTrail } from '../api/trail.ts';
import { mountEnroll } from '../enrol/api.ts';
import type { Hub } from '../hub.ts';
import { mountKeys } from '../keys/api.ts';
import { Metrics } from '../metrics.ts';
import { Assets } from '../pages/assets.ts';
import { facesOf } from '../pages/guard.ts';
import { mountPages } from '../pages/index.ts';
import { Sessions } from '../people/session.ts';
import { Access } from './access.ts';
import { Gate } from './gate.ts';
import { Refusal } from './problems.ts';
import { callerOf, type RouteEnv } from './requests.ts';
import { Router } from './router.ts';
import { whoami } from './whoami.ts';

/**
 * Every route of the table (routes.ts) but the heartbeats' (ingest/ingest.ts), which the server takes before the router
 * sees it. Throws where a route has no handler, or a handler no route.
 */
export function createApp(hub: Hub, metrics = new Metrics(), gate = new Gate(hub, metrics)): Hono<RouteEnv> {
  const sessions = new Sessions(hub);
  const assets = new Assets().load();
  const router = new Router(hub, gate, new Access(hub, gate, sessions), facesOf(hub, assets));

  router.on('GET /healthz', (c) => c.text('ok\n'));
  router.on('GET /readyz', async (c) => {
    await hub.store.size().catch(() => {
      throw new Refusal('not_ready', 'The database does not answer.');
    });
    return c.text('ok\n');
  });
  router.on('GET /metrics', async (c) =>
    c.body(metrics.render(await hub.store.size(), hub.figures?.()), 200, { 'content-type': 'text/plain; version=0.0.4' }),
  );
  router.on('GET /openapi.json', (c) => c.json(openapi(VERSION)));
  router.on('GET /api/v1/whoami', async (c) => c.json(await whoami(hub, gate, callerOf(c))));

  mountEnroll(router, hub, gate);
  mountKeys(router, hub);
  mountServers(router);
  mountSeries(router, hub);
  mountCredentials(router, hub);
  mountPeople(router, hub, sessions);
  mountTrail(router);
  mountPages(router, { hub, sessions, assets });
  return router.finish();
}
