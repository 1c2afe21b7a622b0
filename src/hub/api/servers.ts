import {
  emptySchema,
  keyChangeSchema,
  newKeySchema,
  newServerSchema,
  rotationRequestSchema,
  serverChangeSchema,
} from '../../protocol/management.ts';
import { bodyOf, param } from '../http/requests.ts';
import type { Router } from '../http/router.ts';
import { addKey, addKeyOf, changeKey, retireKeys, rotateKey, rotateTo } from '../keys/changes.ts';
import { unlessWeak } from '../keys/weak.ts';
import { addServer, changeServer, listKeys, listServers, registerServer, removeServer, showServer } from '../servers.ts';

/** Mounts servers and their keys, as people and scripts manage them. */
export function mountServers(router: Router): void {
  router.on('GET /api/v1/servers', async (c) => c.json(await listServers(c.get('registry'))));
  router.on('GET /api/v1/servers/:name', async (c) => c.json(await showServer(c.get('registry'), param(c, 'name'))));

  router.on('POST /api/v1/servers', async (c) => {
    const { name, policy, grace, sha256 } = await bodyOf(c, newServerSchema, 'invalid');
    const [hub, graceMs] = [c.get('registry'), Math.round(grace * 1_000)];
    if (sha256 === undefined) return c.json(await addServer(hub, name, policy, graceMs), 201);
    unlessWeak(sha256);
    return c.json(await registerServer(hub, { name, policy, graceMs, sha256 }), 201);
  });

  router.on('PATCH /api/v1/servers/:name', async (c) => {
    const { policy, grace } = await bodyOf(c, serverChangeSchema, 'invalid');
    const wanted = { ...(policy && { policy }), ...(grace !== undefined && { graceMs: Math.round(grace * 1_000) }) };
    await changeServer(c.get('registry'), param(c, 'name'), wanted);
    return c.json(await showServer(c.get('registry'), param(c, 'name')));
  });

  router.on('DELETE /api/v1/servers/:name', async (c) => {
    await removeServer(c.get('registry'), param(c, 'name'));
    return c.body(null, 204);
  });

  mountKeysOfServers(router);
}

function mountKeysOfServers(router: Router): void {
  router.on('GET /api/v1/servers/:name/keys', async (c) => c.json(await listKeys(c.get('registry'), param(c, 'name'))));

  router.on('POST /api/v1/servers/:name/keys/rotate', async (c) => {
    const { grace, sha256, standing } = await bodyOf(c, rotationRequestSchema, 'invalid');
    const [hub, name] = [c.get('registry'), param(c, 'name')];
    const options = { standing, graceMs: grace === undefined ? undefined : Math.round(grace * 1_000) };
    if (sha256 === undefined) return c.json(await rotateKey(hub, name, options));
    unlessWeak(sha256);
    return c.json(await rotateTo(hub, name, sha256, options));
  });

  router.on('POST /api/v1/servers/:name/keys/retire', async (c) => {
    await bodyOf(c, emptySchema, 'invalid');
    return c.json({ retired: await retireKeys(c.get('registry'), param(c, 'name')) });
  });

  router.on('POST /api/v1/servers/:name/keys', async (c) => {
    const { name, sha256, standing } = await bodyOf(c, newKeySchema, 'invalid');
    const [hub, server] = [c.get('registry'), param(c, 'name')];
    if (sha256 === undefined) return c.json(await addKey(hub, server, name, standing), 201);
    unlessWeak(sha256);
    return c.json(await addKeyOf(hub, server, { name, sha256 }, standing), 201);
  });

  router.on('PATCH /api/v1/servers/:name/keys/:key', async (c) => {
    const wanted = await bodyOf(c, keyChangeSchema, 'invalid');
    const what =
      'enabled' in wanted
        ? ({ action: wanted.enabled ? 'enable' : 'disable', force: wanted.force } as const)
        : ({ action: 'rename', to: wanted.name } as const);
    return c.json(await changeKey(c.get('registry'), param(c, 'name'), param(c, 'key'), what));
  });

  router.on('DELETE /api/v1/servers/:name/keys/:key', async (c) => {
    const force = c.req.query('force') === 'true';
    await changeKey(c.get('registry'), param(c, 'name'), param(c, 'key'), { action: 'delete', force });
    return c.body(null, 204);
  });
}
