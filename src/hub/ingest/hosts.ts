import { ScoutError } from '../../support/errors.ts';
import { familyOf } from '../credentials/versions.ts';
import type { CredentialCaller } from '../http/gate.ts';
import { keyUseOf } from '../http/gate.ts';
import { Refusal } from '../http/problems.ts';
import type { Hub } from '../hub.ts';
import { isServerName } from '../servers.ts';
import type { Founder, Incoming } from '../store/store.ts';

/** Servers that heartbeats of one credential of the role member, all its versions together, may bring into being. */
const HOSTS_MOST = 10_000;

type Counts = Awaited<ReturnType<Hub['store']['accept']>>;

/** Whether a heartbeat's server was removed before it could be stored. */
export const isGone = (error: unknown): boolean => error instanceof ScoutError && error.code === 'HUB_SERVER_UNKNOWN';

/**
 * Stores a batch that came with a credential of the organisation, each host's under the server of its name, which is
 * registered when there is none. Throws a Refusal: 400 for a host name that no server can have, 403 when the credential
 * has registered all that it may (`most`).
 */
export async function storeByHost(
  hub: Pick<Hub, 'store' | 'now'>,
  caller: CredentialCaller,
  batch: Incoming[],
  address: string | null,
  most = HOSTS_MOST,
): Promise<Counts[]> {
  const wrong = batch.findIndex(({ hostName }) => !isServerName(hostName));
  if (wrong >= 0) throw badName(wrong);
  const { org, name, role } = caller.credential;
  const by: Founder = { actor: `credential:${name}`, family: familyOf(name), address, most: role === 'admin' ? null : most };
  const [now, use] = [hub.now(), keyUseOf(caller)];
  const toHost = async (host: string, group: Incoming[]) => {
    const accept = async () => {
      const server = await hub.store.serverForHost(org, host, now, by);
      if (!server) throw new Refusal('forbidden', `The credential ${name} has registered ${most} servers, and may register no more.`);
      return hub.store.accept(server, use, group, now);
    };
    // Removed between the two steps: a host with a credential is registered anew.
    return accept().catch((error) => (isGone(error) ? accept() : Promise.reject(error)));
  };
  return Promise.all(
    Map.groupBy(batch, (one) => one.hostName)
      .entries()
      .map(([host, group]) => toHost(host, group)),
  );
}

function badName(index: number): Refusal {
  const rule = 'up to 128 letters, digits, spaces and . _ : @ -, a letter or digit first';
  return new Refusal('heartbeat_invalid', `Heartbeat ${index} of the batch: host.name is not a name for a server (${rule}).`, { index });
}
