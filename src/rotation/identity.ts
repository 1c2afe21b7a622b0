import type { KeptKey, Keyring } from '../credentials/keyring.ts';
import type { Proof } from '../credentials/proof.ts';
import type { Whoami } from '../protocol/heartbeat.ts';
import { ScoutError } from '../support/errors.ts';
import type { Book } from './book.ts';
import type { World } from './ports.ts';

/** What a service tells of whose a key is: its whoami, or a proof that came by one. */
type Told = Pick<Whoami, 'service_id' | 'service' | 'server'> | Pick<Proof, 'service_id' | 'service' | 'server'>;

/**
 * Whose a key is, and who we are, where that is not the same: a key of another service, server or organisation is none of
 * ours, however well it works. Undefined where it is ours, or where either cannot be told.
 */
export function otherServer(service: Keyring['service'], told: Told): { found: string; expected: string } | undefined {
  if (!service?.service_id || told.service_id === undefined) return undefined;
  const found = `${told.server?.name ?? told.service} (${told.server?.id ?? told.service_id})`;
  if (told.service_id !== service.service_id) return { found, expected: `of the service ${service.service_id}` };
  return (told.server?.id ?? null) === service.server_id ? undefined : { found, expected: service.server_id ?? 'of no server' };
}

/**
 * Who we are, to compare a key with that came from outside: where that was not to be told at first, the key in use tells it
 * now. Throws SERVICE_UNEXPECTED where a service that has told whose its keys are no longer does.
 */
export async function ourselves(world: World, book: Book, proof: Proof): Promise<Keyring['service']> {
  const { service, current } = book.keyring;
  if (book.journal.source !== 'pasted') return service;
  const { endpoint } = world;
  if (proof.service_id === undefined && service?.service_id)
    throw new ScoutError('SERVICE_UNEXPECTED', {
      endpoint,
      detail: 'it has told until now whose a key is, and does not tell it of the new one',
    });
  if (proof.service_id === undefined || service?.service_id) return service;
  const reply = await world.service.whoami(book.open(current as KeptKey));
  if (reply.kind !== 'accepted') return service;
  return { endpoint, service_id: reply.whoami.service_id, server_id: reply.whoami.server?.id ?? null };
}
