import { randomUUID } from 'node:crypto';
import { ScoutError } from '../../support/errors.ts';
import { entryFor, isKeyLike, type Registry } from '../servers.ts';
import type { Organisation } from '../store/store.ts';

const isName = (text: string): boolean => /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,62}$/u.test(text) && !isKeyLike(text);

/** Makes an organisation; the line of it goes into the trail of whoever makes it. Throws HUB_ORGANISATION_NAME, HUB_ORGANISATION_EXISTS. */
export async function addOrganisation(hub: Registry, name: string): Promise<Organisation> {
  if (!isName(name)) throw new ScoutError('HUB_ORGANISATION_NAME');
  const made: Organisation = { id: randomUUID(), name, createdAt: hub.now() };
  await hub.store.addOrganisation(made, entryFor(hub, 'organisation.add', `organisation:${name}`, {}));
  return made;
}

/** Removes an organisation without servers. Throws HUB_ORGANISATION_UNKNOWN, HUB_ORGANISATION_IN_USE. */
export async function removeOrganisation(hub: Registry, name: string): Promise<void> {
  const found = await hub.store.organisationByName(name);
  if (!found) throw new ScoutError('HUB_ORGANISATION_UNKNOWN', { name: isName(name) ? name : '…' });
  await hub.store.removeOrganisation(found.id, entryFor(hub, 'organisation.remove', `organisation:${name}`, {}));
}
