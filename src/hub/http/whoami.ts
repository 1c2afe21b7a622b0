import type { Whoami } from '../../protocol/heartbeat.ts';
import { SERVICE } from '../../protocol/wire.ts';
import { VERSION } from '../../support/version.ts';
import type { Hub } from '../hub.ts';
import { rfc3339 } from '../servers.ts';
import type { Caller, Gate } from './gate.ts';
import { holds } from './scopes.ts';

/** What whoami answers. */
export async function whoami(hub: Hub, gate: Gate, caller: Caller): Promise<Whoami> {
  const now = hub.now();
  return {
    service: SERVICE,
    service_id: hub.serviceId,
    version: VERSION,
    ...whoOf(caller),
    ...(await gate.standing(caller)),
    time: rfc3339(now),
  };
}

function whoOf(caller: Caller): Pick<Whoami, 'server' | 'credential' | 'key_created' | 'rotation'> {
  if (caller.kind === 'agent') {
    const { server, key } = caller;
    return {
      server: { id: server.id, name: server.name, policy: server.policy },
      key_created: rfc3339(key.createdAt),
      rotation: ['register', 'mint', 'retire'],
    };
  }
  const { id, name, role, scopes, createdAt } = caller.credential;
  return {
    server: null,
    credential: { id, name, role, scopes },
    key_created: rfc3339(createdAt),
    ...(holds(scopes, 'keys') && { rotation: ['register', 'retire'] }),
  };
}
