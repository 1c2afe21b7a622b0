import { ScoutError } from '../../support/errors.ts';
import type { User } from './records.ts';

/** Throws HUB_USER_LAST where an organisation would have no admin without this one; `people`: as they are under the lock. */
export function unlessLastAdmin({ id, name, role }: User, people: User[]): void {
  if (role !== 'admin' || people.some((one) => one.role === 'admin' && one.id !== id)) return;
  throw new ScoutError('HUB_USER_LAST', { name });
}
