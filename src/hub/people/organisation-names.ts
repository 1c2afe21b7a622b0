import type { Store } from '../store/store.ts';

/** Names of organisations by their ids, for those who meet ids by the thousand. */
export class OrganisationNames {
  readonly #store: Pick<Store, 'organisations'>;
  #names = new Map<string, string>();

  constructor(store: Pick<Store, 'organisations'>) {
    this.#store = store;
  }

  /** Its name; of one that is gone, the id. Organisations keep their names, so one that was seen is not asked for again. */
  async of(id: string): Promise<string> {
    if (!this.#names.has(id)) this.#names = new Map((await this.#store.organisations()).map((one) => [one.id, one.name]));
    return this.#names.get(id) ?? id;
  }
}
