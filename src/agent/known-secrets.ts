import type { Config } from '../config/schema.ts';
import type { Candidate, CheckResult } from './checker.ts';

/** A rotation a day for months is still a short list, but it need not grow without end. */
const MOST = 64;

/** Every secret of a configuration and its keyring, and of those before it: a key that was replaced must not be logged either. */
export class KnownSecrets {
  readonly known: string[] = [];

  /** Takes what a reading brought, and hands it on. */
  learn(result: CheckResult): CheckResult {
    const { config, candidates = [] } = result.checked ?? {};
    if (config) this.#take(candidates.flatMap(({ api }: Candidate) => [api.key, api.private_key]));
    // Last: of a list that is full the oldest go.
    if (config) this.#take(secretsOf(config));
    return result;
  }

  #take(found: (string | undefined)[]): void {
    for (const secret of found) if (secret && !this.known.includes(secret)) this.known.push(secret);
    if (this.known.length > MOST) this.known.splice(0, this.known.length - MOST);
  }
}

function secretsOf({ api, tls, proxy, destinations }: Config): (string | undefined)[] {
  return [api.key, api.private_key, tls.key_passphrase, passwordOf(proxy), ...destinations.map((one) => one.key)];
}

function passwordOf(proxy: string | undefined): string | undefined {
  return proxy && URL.canParse(proxy) ? decodeURIComponent(new URL(proxy).password) : undefined;
}
