import { type KeptKey, type QuarantinedKey, sameAddress } from '../credentials/keyring.ts';
import { fingerprintOf } from '../credentials/values.ts';
import { type Request, whoWeAre } from './begin.ts';
import type { Book } from './book.ts';
import type { World } from './ports.ts';

/**
 * Sees to it that no key of the keyring is sent to another service than its own: where the configuration names another
 * address, and it is not the same installation that answers there, all keys are set aside under the address of their
 * service, and a rotation that was about them ends. The configured key alone is sent meanwhile. Throws
 * ROTATE_OLD_REFUSED, KEY_FORBIDDEN and the SERVICE_ errors where that cannot be told.
 */
export async function followService(world: World, book: Book, request: Request = { acceptGap: false }): Promise<void> {
  const { service, current, next, previous } = book.keyring;
  if (!service || sameAddress(service.endpoint, world.endpoint)) return;
  const about = { from: null, to: null };
  if (await isTheSame(world, book, request)) {
    const reason = `the service has another address: ${world.endpoint}`;
    return book.write({ service: { ...service, endpoint: world.endpoint } }, 'MOVED', reason, about);
  }
  const { endpoint } = service;
  const reason = `it is for ${endpoint}, and the configuration names another service`;
  const owned = (key: QuarantinedKey): QuarantinedKey => ({ endpoint, ...key });
  const kept = [current, next, previous].filter((key): key is KeptKey => key !== null);
  world.tell({
    state: 'MOVED',
    text: `the configuration names another service than ${endpoint}: keys for that one are set aside`,
    level: 'warning',
  });
  const gone = { service: null, current: null, next: null, previous: null, rotation: null };
  book.write({ ...gone, quarantine: book.quarantined(reason, ...kept).map(owned) }, 'MOVED', reason, about);
}

/** Whether what answers at the new address is what answered at the old one: by its id, or, where that is not known, by taking the same key. */
async function isTheSame(world: World, { keyring }: Book, request: Request): Promise<boolean> {
  const values = world.configured.read();
  const reply = await whoWeAre(world, values, request);
  if (reply?.kind !== 'accepted') return false;
  const known = keyring.service?.service_id ?? null;
  return known === null ? keyring.current?.fingerprint === fingerprintOf(values) : known === reply.whoami.service_id;
}
