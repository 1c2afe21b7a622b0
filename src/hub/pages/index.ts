import { param } from '../http/requests.ts';
import type { Router } from '../http/router.ts';
import { mountAccount } from './account.ts';
import { mountAudit } from './audit-page.ts';
import { mountCredentials } from './credentials-page.ts';
import { mountEvents } from './events.ts';
import { parseFleetQuery, viewFleet } from './fleet.ts';
import { fleetBody, fleetFragment, fleetTitle, type Looking } from './fleet-page.ts';
import { mountKeysPage } from './keys-page.ts';
import { mountOneKey } from './one-key.ts';
import { rangeOf } from './ranges.ts';
import { mountRotate } from './rotate.ts';
import { serverBody, serverFragment, serverTitle } from './server-page.ts';
import { viewServer } from './server-view.ts';
import { mountSettings } from './settings.ts';
import { mountSignIn } from './sign-in.ts';
import { originOf, type PageContext, Site, type SiteParts } from './site.ts';
import { mountTokens } from './tokens-page.ts';
import { mountUsers } from './users-page.ts';

/** Mounts every page, the forms on them, their files and their live updates. */
export function mountPages(router: Router, parts: SiteParts): void {
  const site = new Site(router, parts);
  router.on('GET /assets/:name', (c) => parts.assets.serve(c));
  mountSignIn(site);
  mountFleet(site);
  mountServer(site);
  for (const mount of [mountRotate, mountOneKey, mountSettings, mountKeysPage, mountCredentials, mountTokens]) mount(site);
  for (const mount of [mountAudit, mountUsers, mountAccount, mountEvents]) mount(site);
}

const lookingOf = (c: PageContext): Looking => ({ admin: c.get('person').role === 'admin', origin: originOf(c) });

function mountFleet(site: Site): void {
  site.on('GET /', async (c, hub) => {
    const query = parseFleetQuery(new URL(c.req.url).searchParams);
    const now = hub.now();
    const view = viewFleet(await hub.store.fleet(hub.org), query, now, hub.silentAfter);
    const looking = lookingOf(c);
    if (c.req.header('x-scout-fragment')) return c.html(fleetFragment(view, now, looking));
    return site.show(c, { title: fleetTitle(view), section: 'fleet', body: fleetBody(view, now, looking) });
  });
}

function mountServer(site: Site): void {
  site.on('GET /servers/:name', async (c, hub) => {
    const name = param(c, 'name');
    const view = await viewServer(hub, name, rangeOf(c.req.query('range')), c.req.query('detail') === '1');
    const shown = { ...view, ...lookingOf(c) };
    if (c.req.header('x-scout-fragment')) return c.html(serverFragment(shown, hub.now()));
    return site.show(c, { title: serverTitle(shown), section: 'fleet', charts: true, body: serverBody(shown, hub.now()) });
  });
}
