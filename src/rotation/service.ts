import type * as z from 'zod';
import type { Config } from '../config/schema.ts';
import { addressOf } from '../credentials/connect.ts';
import { createCredential } from '../credentials/create.ts';
import { proveCredential } from '../credentials/prove.ts';
import { ask, connectionTo } from '../credentials/request.ts';
import { type Values, withValues } from '../credentials/values.ts';
import { askWhoami } from '../credentials/whoami.ts';
import { mintedSchema, registeredSchema, retiredSchema } from '../protocol/keys.ts';
import { PATHS } from '../protocol/wire.ts';
import { ScoutError } from '../support/errors.ts';
import type { Answer, KeyService } from './ports.ts';

/** Statuses by which the service itself says that it changed nothing, and will not. */
const DECLINED = [404, 405, 409, 422];
/** What can stand in a configuration and in a header; a service that mints anything else is none. */
const KEY = /^[\x21-\x7e]{8,4096}$/;

/**
 * The key service of a configuration, asked with whatever credential is given at each call instead of its own.
 * Throws nothing itself; the calls also throw FILE_UNREADABLE (tls.*) and PRIVATE_KEY.
 */
export function createKeyService(config: Pick<Config, 'api' | 'tls' | 'proxy'>, env: NodeJS.ProcessEnv = process.env): KeyService {
  return new HttpKeyService(config, env);
}

class HttpKeyService implements KeyService {
  readonly #config: Pick<Config, 'api' | 'tls' | 'proxy'>;
  readonly #env: NodeJS.ProcessEnv;

  constructor(config: Pick<Config, 'api' | 'tls' | 'proxy'>, env: NodeJS.ProcessEnv) {
    this.#config = config;
    this.#env = env;
  }

  async whoami(by: Values) {
    return askWhoami(connectionTo(this.#config, this.#env), createCredential(withValues(this.#config.api, by)));
  }

  prove(by: Values) {
    return proveCredential({ ...this.#config, api: withValues(this.#config.api, by) }, this.#env);
  }

  register(by: Values, key: { sha256: string } | { public_key: string }) {
    return this.#post(by, PATHS.register, registeredSchema, key);
  }

  async mint(by: Values, idempotencyKey: string) {
    const answer = await this.#post(by, PATHS.mint, mintedSchema, {}, { 'idempotency-key': idempotencyKey });
    if (answer.kind === 'done' && !KEY.test(answer.value.key)) throw this.#unexpected('what it minted can be no key');
    return answer;
  }

  async retire(by: Values, fingerprint: string) {
    const answer = await this.#post(by, PATHS.retire, retiredSchema, { fingerprint });
    if (answer.kind === 'done' && answer.value.fingerprint !== fingerprint)
      throw this.#unexpected(`it says that it retired another key than ${fingerprint}`);
    return answer;
  }

  async #post<S extends z.ZodType>(
    by: Values,
    path: string,
    schema: S,
    body: object,
    headers: Record<string, string> = {},
  ): Promise<Answer<z.infer<S>>> {
    const credential = createCredential(withValues(this.#config.api, by));
    const heard = await ask(connectionTo(this.#config, this.#env), credential, {
      method: 'POST',
      path,
      headers,
      body: JSON.stringify(body),
    });
    // A page of a proxy that knows no such address says nothing about the service behind it.
    if (heard.kind === 'absent') throw this.#unexpected(heard.detail);
    if (heard.kind === 'problem') {
      const { status, problem } = heard;
      if (status === 401) return { kind: 'refused', detail: problem.detail };
      if (status === 403) return { kind: 'forbidden', detail: problem.detail };
      if (DECLINED.includes(status)) return { kind: 'declined', status, code: problem.code, detail: problem.detail };
      throw this.#unexpected(`${problem.detail} (${status})`);
    }
    const parsed = schema.safeParse(heard.body);
    if (!parsed.success)
      throw this.#unexpected(`JSON came with 200 that is not what ${path} answers; the request may have been carried out`);
    return { kind: 'done', value: parsed.data };
  }

  #unexpected(detail: string): ScoutError {
    return new ScoutError('SERVICE_UNEXPECTED', { endpoint: addressOf(new URL(this.#config.api.endpoint)), detail });
  }
}
