import type { Log } from '../../support/log.ts';
import type { Store } from './store.ts';

/** Where a hub's data is: in a PostgreSQL database when one is named, else in a folder. */
export interface Place {
  data: string;
  /** `postgres://…` (postgres/address.ts). */
  database?: string | undefined;
}

/**
 * Opens the store, made when there is none. Throws HUB_DATA, HUB_DATA_NEWER; for a database HUB_DATABASE,
 * HUB_DATABASE_ADDRESS.
 */
export async function openStore({ data, database }: Place, log?: Log): Promise<Store> {
  if (database === undefined) {
    const { SqliteStore } = await import('./sqlite-store.ts');
    return SqliteStore.open(data);
  }
  const { PostgresStore } = await import('./postgres-store.ts');
  return PostgresStore.open(database, (fault) => {
    if (fault === null) log?.info({}, 'the database is back');
    else log?.error({ because: fault }, 'the database does not answer; requests are put off until it does');
  });
}
