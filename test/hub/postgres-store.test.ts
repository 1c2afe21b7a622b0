import { afterAll, beforeAll } from 'vitest';
import { PostgresStore } from '../../src/hub/postgres-store.ts';
import { Postgres } from '../helpers/postgres.ts';
import { describeStore } from './store-suite.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await Postgres.start();
});
afterAll(() => postgres.remove());

let url = '';
describeStore(
  'PostgreSQL store',
  async () => {
    url = postgres.url(postgres.freshSchema());
    return PostgresStore.open(url);
  },
  async (store) => {
    await store.close();
    return PostgresStore.open(url);
  },
  () => {},
);
