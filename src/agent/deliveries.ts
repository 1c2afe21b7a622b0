import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config, DestinationConfig } from '../config/schema.ts';
import { createCredential } from '../credentials/create.ts';
import type { Credential } from '../credentials/credential.ts';
import type { Destination, Outcome, StoredHeartbeat } from '../delivery/heartbeats.ts';
import type { Pending } from '../delivery/outbox.ts';
import { ScoutDestination } from '../delivery/scout.ts';
import { Sender, type SenderStatus } from '../delivery/sender.ts';
import type { Spool } from '../delivery/spool.ts';
import { Transport } from '../delivery/transport.ts';
import { Twin } from '../delivery/twin.ts';
import type { Host } from '../support/host.ts';
import type { Log } from '../support/log.ts';

/** Name under which the service of `api.*` has its place in the outbox. */
export const PRIMARY = 'api';

interface Options {
  spool: Spool;
  host: Host;
  log: Log;
  onOutcome(destination: string, batch: StoredHeartbeat[], outcome: Outcome): void;
  onSkew(ms: number): void;
  /** A hold has lasted its time: calls `release` once it knows what to send with. */
  onLapse(): void;
}

/** What one destination runs on. `made` tells whether a new configuration asks for new connections. */
interface Lane {
  made: string;
  destination: Destination;
  sender: Sender;
}

/** The destinations of the configuration in force, each with its sender and its credential. */
export class Deliveries {
  readonly #options: Options;
  readonly #lanes = new Map<string, Lane>();
  readonly #credentials = new Map<string, Credential>();
  /** Monotonic clock, ms. */
  #heldUntil = 0;
  /** Counts holds: who waited meanwhile must not release a later one. */
  #holds = 0;
  /** Lanes whose last request may still be under way. */
  #ending: Promise<unknown> = Promise.resolve();

  constructor(options: Options) {
    this.#options = options;
  }

  /**
   * Puts a configuration in force. Everything that can fail (a certificate file, a key) is made before anything that
   * runs is touched; lanes whose address and TLS are the same keep their connections, and only their credential changes.
   * `takeKey` is called at that point, and answers which credential goes to the service of `api.*`, and whether with it
   * the next attempt is made at once.
   */
  async apply(config: Config, takeKey: () => { credential: Credential; retry: boolean }): Promise<void> {
    const wanted = settings(config);
    const credentials = new Map(wanted.map((one) => [one.name, one.credential]));
    const fresh = new Map<string, Lane>();
    for (const one of wanted) {
      const made = signature(config, one);
      if (this.#lanes.get(one.name)?.made !== made) fresh.set(one.name, { made, ...(await this.#make(config, one)) });
    }

    const gone = [...this.#lanes].filter(([name]) => fresh.has(name) || !credentials.has(name));
    this.#ending = Promise.all(gone.map(([name]) => this.#end(name)));
    await this.#ending;
    const { credential, retry } = takeKey();
    credentials.set(PRIMARY, credential);
    const changed = [...credentials].filter(([name, one]) =>
      name === PRIMARY ? retry : this.#credentials.get(name)?.fingerprint !== one.fingerprint,
    );
    this.#credentials.clear();
    for (const [name, credential] of credentials) this.#credentials.set(name, credential);
    this.#options.spool.setDestinations(wanted.map((one) => one.name));
    for (const [name, lane] of fresh) {
      this.#lanes.set(name, lane);
      const rest = this.#heldUntil - this.#options.host.monotonic();
      if (name === PRIMARY && this.held && rest > 0) void lane.sender.hold(rest);
      lane.sender.start();
    }
    for (const [name] of changed) if (!fresh.has(name)) this.#lanes.get(name)?.sender.credentialChanged();
  }

  wake(): void {
    for (const { sender } of this.#lanes.values()) sender.wake();
  }

  status(): SenderStatus[] {
    return [...this.#lanes.values()].map(({ sender }) => sender.status());
  }

  /** How it stands with the service of `api.*`. */
  get primary(): SenderStatus | undefined {
    return this.#primary?.status();
  }

  /** Sends to the service of `api.*` with this credential, at once; for one of several in a row. */
  tryKey(credential: Credential): void {
    this.#credentials.set(PRIMARY, credential);
    this.#primary?.retry();
  }

  /** Sends to the service of `api.*` with this credential, once its pause is over. */
  restWith(credential: Credential): void {
    this.#credentials.set(PRIMARY, credential);
    this.#primary?.resume();
  }

  /** Sends nothing to the service of `api.*` until `tryKey` or `restWith`. */
  suspend(): void {
    this.#primary?.suspend();
  }

  /** Sends to the service of `api.*` now, also where a pause lasts. */
  skipPause(): void {
    this.#primary?.skipPause();
  }

  /**
   * Resolves once nothing is on its way to the service of `api.*`; from then on nothing is, for `ms` or until `release`.
   * A hold that lasts longer already stays as it is.
   */
  async hold(ms: number): Promise<void> {
    const { host } = this.#options;
    this.#holds++;
    this.#heldUntil = Math.max(this.held ? this.#heldUntil : 0, host.monotonic() + ms);
    await this.#ending;
    await this.#primary?.hold(this.#heldUntil - host.monotonic());
  }

  /** How many holds there were. */
  get holds(): number {
    return this.#holds;
  }

  release(): void {
    this.#heldUntil = 0;
    this.#primary?.release();
  }

  /** Whether `hold` is in force. */
  get held(): boolean {
    return this.#heldUntil > this.#options.host.monotonic() || (this.#primary?.held ?? false);
  }

  /** Lets requests in flight finish, for at most `deadline` ms. */
  async stop(deadline: number): Promise<void> {
    await Promise.all([...this.#lanes.keys()].map((name) => this.#end(name, deadline)));
  }

  get #primary(): Sender | undefined {
    return this.#lanes.get(PRIMARY)?.sender;
  }

  async #make(config: Config, { name, type, endpoint, timeout }: Settings): Promise<Omit<Lane, 'made'>> {
    const { host, log, spool, onOutcome, onSkew, onLapse } = this.#options;
    const transport = new Transport({ endpoint, tls: config.tls, proxy: config.proxy });
    const credential = () => this.#credentials.get(name) ?? NO_CREDENTIAL;
    const options = { name, endpoint, credential, transport, host, timeout, onSkew, log };
    const destination =
      type === 'scout' ? new ScoutDestination(options) : new (await import('../exporters/otlp-destination.ts')).OtlpDestination(options);
    const twin = new Twin();
    const told = (batch: Pending[], outcome: Outcome) => {
      const loss = twin.lost(batch, outcome, spool.depth(name));
      if (loss) {
        spool.renew(batch, loss);
        const about = { destination: name, lost: loss.count, instance: spool.instance };
        log.warn(
          about,
          'the service has other heartbeats of these numbers: was this machine put back, or does it run twice? It counts anew',
        );
      }
      onOutcome(name, batch, outcome);
    };
    const sender = new Sender({ destination, spool, host, log, onOutcome: told, onLapse });
    return { destination, sender };
  }

  async #end(name: string, deadline = 5_000): Promise<void> {
    const lane = this.#lanes.get(name);
    if (!lane) return;
    this.#lanes.delete(name);
    await lane.sender.stop(deadline);
    lane.destination.close();
  }
}

/** One destination as the configuration has it, the service of `api.*` and the further ones alike. */
interface Settings {
  name: string;
  type: DestinationConfig['type'];
  endpoint: string;
  timeout: number;
  credential: Credential;
}

const NO_CREDENTIAL: Credential = { fingerprint: '', headers: () => ({}) };

function settings(config: Config): Settings[] {
  const { endpoint, timeout } = config.api;
  // Which credential goes there is decided elsewhere: the configuration's, or one that the ladder found.
  const main: Settings = { name: PRIMARY, type: 'scout', endpoint, timeout, credential: NO_CREDENTIAL };
  const further = config.destinations.map(({ name, type, endpoint, auth, key }) => {
    const credential =
      auth === undefined || auth === 'none' || key === undefined ? NO_CREDENTIAL : createCredential({ ...config.api, auth, key });
    return { name, type, endpoint, timeout, credential };
  });
  return [main, ...further];
}

/** All that decides whether connections must be made anew: the address, and certificates by what their files hold. */
function signature(config: Config, one: Settings): string {
  const { ca_file, cert_file, key_file } = config.tls;
  // A hash, fed with bytes: the files are long, and one of them holds a private key.
  const hash = createHash('sha256').update(JSON.stringify([one.endpoint, one.type, one.timeout, config.proxy, config.tls]));
  for (const path of [ca_file, cert_file, key_file]) hash.update(path ? readFileSync(path) : '').update('\0');
  return hash.digest('base64');
}
