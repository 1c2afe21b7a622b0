import { CAP_MS, parseRetryAfter, pause } from '../../delivery/backoff.ts';
import { Transport } from '../../delivery/transport.ts';
import { detailOf } from '../../support/errors.ts';
import { VERSION } from '../../support/version.ts';
import type { Duty } from '../duties/duty.ts';
import type { Figure } from '../duties/figures.ts';
import type { Hub } from '../hub.ts';
import type { Notice } from '../store/stream.ts';
import { readWebhookSecret, signatureHeaders } from './signature.ts';

const MOST = 20;
const IDLE_MS = 500;
const TIMEOUT_MS = 10_000;
/** After this, ms, a notice is given up. */
const KEPT_MS = 3 * 86_400_000;

export interface WebhookOptions {
  /** https://…, or http:// to loopback. */
  url: string;
  secretFile: string;
  /** The authority that the receiver is trusted by, PEM; the system's unless given. */
  caFile?: string | undefined;
}

/**
 * Delivers notices: each until it is answered with 2xx, or for three days. Delivered twice when the hub dies between the
 * answer and its note of it; `webhook-id` tells. Redirects are not followed, and what is answered is not looked at.
 */
export class Webhook implements Duty {
  readonly name = 'webhook';
  readonly #hub: Hub;
  readonly #options: WebhookOptions;
  readonly #transport: Transport;
  #key: Buffer;
  #failures = 0;
  #notBefore = 0;
  #counts = { delivered: 0, failed: 0, givenUp: 0, waiting: 0 };

  /** Throws HUB_SECRET_FILE, TLS_FILE. */
  constructor(hub: Hub, options: WebhookOptions) {
    this.#hub = hub;
    this.#options = options;
    this.#key = readWebhookSecret(options.secretFile);
    this.#transport = new Transport({ endpoint: options.url, tls: options.caFile === undefined ? {} : { ca_file: options.caFile } });
  }

  /** Delivers what is due, in the order of its time, until one fails: what comes after it waits for the next time. */
  async step(signal: AbortSignal): Promise<number> {
    const { store } = this.#hub;
    const wait = this.#notBefore - this.#hub.monotonic();
    if (wait > 0) return wait;
    const due = await store.dueNotices(this.#hub.now(), MOST);
    for (const notice of due) {
      if (signal.aborted || !(await this.#deliver(notice, signal))) break;
    }
    this.#counts.waiting = await store.countNotices();
    return due.length < MOST ? IDLE_MS : 0;
  }

  close(): void {
    this.#transport.close();
  }

  figures(): Figure[] {
    const { delivered, failed, givenUp, waiting } = this.#counts;
    return [
      { name: 'scout_hub_notices_delivered_total', type: 'counter', help: 'Notices that the webhook took.', value: delivered },
      { name: 'scout_hub_notices_failed_total', type: 'counter', help: 'Tries to deliver a notice that failed.', value: failed },
      { name: 'scout_hub_notices_given_up_total', type: 'counter', help: 'Notices given up after three days.', value: givenUp },
      { name: 'scout_hub_notices_waiting', type: 'gauge', help: 'Notices that wait to be delivered.', value: waiting },
    ];
  }

  /** Whether the next one may follow. */
  async #deliver(notice: Notice, signal: AbortSignal): Promise<boolean> {
    const { store } = this.#hub;
    const failure = await this.#post(notice, signal);
    if (!failure) {
      await store.dropNotice(notice.id);
      this.#counts.delivered++;
      this.#failures = 0;
      return true;
    }
    if (signal.aborted) return false;
    this.#counts.failed++;
    const { detail, retryAfter } = failure;
    const tries = notice.tries + 1;
    if (this.#hub.now() - notice.createdAt > KEPT_MS) {
      this.#counts.givenUp++;
      this.#hub.log?.error({ id: notice.id, tries, detail }, 'a notice was given up: the webhook has not taken it for three days');
      await store.dropNotice(notice.id);
      return false;
    }
    // A pause for all of them, which a receiver that is away needs; and one for this, which may be refused for what it is.
    const random = Math.random;
    this.#notBefore = this.#hub.monotonic() + pause({ failures: ++this.#failures, cap: CAP_MS, retryAfter, random });
    const wait = pause({ failures: tries, cap: CAP_MS, random });
    this.#hub.log?.warn({ id: notice.id, tries, detail, again_in_ms: wait }, 'the webhook did not take a notice, which is tried again');
    await store.delayNotice(notice.id, tries, this.#hub.now() + wait);
    return false;
  }

  async #post({ id, body }: Notice, signal: AbortSignal): Promise<{ detail: string; retryAfter?: number | undefined } | undefined> {
    this.#readKey();
    const headers = {
      'content-type': 'application/json',
      'user-agent': `scout-hub/${VERSION}`,
      ...signatureHeaders(this.#key, id, body, this.#hub.now()),
    };
    try {
      const { status, headers: answered } = await this.#transport.request({
        method: 'POST',
        path: '',
        headers,
        body: Buffer.from(body),
        timeout: TIMEOUT_MS,
        signal,
      });
      if (status >= 200 && status < 300) return undefined;
      return { detail: `status ${status}`, retryAfter: parseRetryAfter(answered['retry-after'], this.#hub.now()) };
    } catch (error) {
      return { detail: detailOf(error) };
    }
  }

  /** Read anew each time: a secret is replaced while the hub runs. */
  #readKey(): void {
    try {
      this.#key = readWebhookSecret(this.#options.secretFile);
    } catch (error) {
      this.#hub.log?.warn({ detail: detailOf(error) }, 'the secret of the webhook could not be read again');
    }
  }
}
