import { createHash, createPublicKey, randomUUID } from 'node:crypto';
import { EMPTY_KEYRING, type Keyring } from '../../src/credentials/keyring.ts';
import type { Proof } from '../../src/credentials/proof.ts';
import { fingerprintOf, sameValues, type Values } from '../../src/credentials/values.ts';
import type { Whoami } from '../../src/protocol/heartbeat.ts';
import type { AuditLine, Policy } from '../../src/rotation/journal.ts';
import type { Answer, ConfiguredKey, KeyringStore, KeyService, RunningAgent, Step, World } from '../../src/rotation/ports.ts';
import { problem, ScoutError } from '../../src/support/errors.ts';

/*
 * A world for the rotation to live in, in memory: a service of each policy, a disk that keeps what was written, an
 * agent. It can stop at any call: the process dies before it or after it, the service does not hear it, or its answer
 * is lost.
 */

/** The process is dead: everything in memory is gone, the disk and the service stay. */
export class Crash extends Error {}

export type Fault = 'crash-before' | 'crash-after' | 'unheard' | 'lost';

interface ServiceKey {
  fingerprint: string;
  alive: boolean;
  slot: 'current' | 'previous';
  until: number | null;
  credentialId?: string;
  /** Whether anything was asked with it since it became the current one. */
  used?: boolean;
}

export interface Options {
  policy: Policy;
  /** API key, or an organisation's key pair. */
  first: Values;
  /** Whether asking again under the same Idempotency-Key brings the same key, even with a dead one. */
  replays?: boolean;
  abilities?: ('register' | 'mint' | 'retire')[];
  agentRuns?: boolean;
  graceMs?: number;
  serviceId?: string;
}

const NAMES = ['whoami', 'prove', 'register', 'mint', 'retire'];

export class SimulatedWorld implements World {
  readonly options: Required<Options>;
  endpoint = 'https://keys.test';
  readonly keys: ServiceKey[] = [];
  readonly minted = new Map<string, { text: string; by: string }>();
  /** Keys that an operator has on paper. */
  readonly atHand: string[] = [];
  readonly log: AuditLine[] = [];
  readonly told: Step[] = [];
  /** Every call, by name; what the model replays. */
  readonly calls: string[] = [];
  disk: Keyring = structuredClone(EMPTY_KEYRING);
  files: Values;
  clock = Date.parse('2026-01-01T00:00:00Z');
  agentUses: string;
  /** The key that it was told to use last, whatever it found on the ladder. */
  toldKey: string;
  held = false;
  /** Heartbeats of the agent that were refused: what must not happen but by a crash. */
  refused = 0;
  /** Told each call once it is done; true is a crash at that moment. */
  crashWhen: (call: string) => boolean = () => false;
  #faults = new Map<number, Fault>();
  #count = 0;

  constructor(options: Options) {
    this.options = {
      replays: true,
      abilities: ['register', 'mint', 'retire'],
      agentRuns: true,
      graceMs: 86_400_000,
      serviceId: 'service-1',
      ...options,
    };
    this.files = { ...options.first };
    this.agentUses = fingerprintOf(options.first);
    this.toldKey = this.agentUses;
    this.keys.push({ fingerprint: this.agentUses, alive: true, slot: 'current', until: null });
  }

  /** Lets the nth call from now (from 1) go wrong. */
  failAt(nth: number, fault: Fault): void {
    this.#faults.set(this.#count + nth, fault);
  }

  forgetFaults(): void {
    this.#faults.clear();
  }

  get count(): number {
    return this.#count;
  }

  /** Fingerprints that the service takes now. */
  alive(): string[] {
    return this.keys.filter((key) => this.#isAlive(key)).map((key) => key.fingerprint);
  }

  /** Fingerprints on this host, in the order in which the agent tries them. */
  reachable(): string[] {
    const { current, next, previous, quarantine } = this.disk;
    const kept = [current, next, previous, ...quarantine.toReversed()].flatMap((key) => (key ? [key.fingerprint] : []));
    return [...new Set([fingerprintOf(this.files), ...kept])];
  }

  /** The agent sends a heartbeat: with the key it uses, else down the ladder. Whether one was accepted. */
  beat(): boolean {
    if (this.alive().includes(this.agentUses)) return true;
    this.refused++;
    const found = this.reachable().find((fingerprint) => this.alive().includes(fingerprint));
    if (found) this.agentUses = found;
    return found !== undefined;
  }

  now = (): number => this.clock;
  tell = (step: Step): void => void this.told.push(step);

  readonly service: KeyService = {
    whoami: (by) =>
      this.#call('whoami', () => {
        const key = this.#who(by);
        return key ? { kind: 'accepted' as const, whoami: this.#whoami(key) } : { kind: 'refused' as const, detail: 'not known here' };
      }),
    prove: async (by) => {
      const proof: Proof = { ok: false, endpoint: this.endpoint, steps: [] };
      try {
        return await this.#call('prove', () => {
          const key = this.#who(by);
          if (!key) return { proof, problems: [problem('KEY_REFUSED', { endpoint: this.endpoint, fingerprint: fingerprintOf(by) })] };
          const { service, service_id, server, fingerprint, slot, previous_key_valid_until } = this.#whoami(key);
          const told = { service, service_id, fingerprint, slot, previous_key_valid_until, ...(server && { server }) };
          return { proof: { ...proof, ok: true, ...told } as Proof, problems: [] };
        });
      } catch (error) {
        if (error instanceof ScoutError) return { proof, problems: [error.problem] };
        throw error;
      }
    },
    register: (by, key) =>
      this.#call('register', () => {
        const asking = this.#who(by);
        if (!asking) return REFUSED;
        const fingerprint = 'sha256' in key ? key.sha256.slice(0, 12) : thumb(key.public_key);
        const there = this.keys.find((one) => one.fingerprint === fingerprint);
        if (!there && this.#isReplaced(asking)) return REPLACED;
        if (!there) this.#bring(fingerprint, 'public_key' in key ? randomUUID() : undefined);
        else if (asking.slot === 'current') this.#bringBack(there, asking);
        const registered = (there ?? this.keys.at(-1)) as ServiceKey;
        return {
          kind: 'done',
          value: {
            fingerprint,
            slot: 'current' as const,
            previous_key_valid_until: this.#window(),
            ...(registered.credentialId && { credential_id: registered.credentialId, kid: 'kid', name: 'v2' }),
          },
        };
      }),
    mint: (by, idempotencyKey) =>
      this.#call('mint', () => {
        const id = `${fingerprintOf(by)} ${idempotencyKey}`;
        const before = this.options.replays ? this.minted.get(id) : undefined;
        const asking = this.#who(by);
        if (!before && !asking) return REFUSED;
        if (!before && this.#isReplaced(asking)) return REPLACED;
        const text = before?.text ?? createHash('sha256').update(randomUUID()).digest('hex');
        const fingerprint = fingerprintOf({ 'api.key': text });
        if (!before) {
          this.minted.set(id, { text, by: fingerprintOf(by) });
          this.#bring(fingerprint);
        }
        const value = {
          key: text,
          fingerprint,
          slot: 'current' as const,
          previous_key_valid_until: this.#window(),
          replayed: Boolean(before),
        };
        return { kind: 'done', value };
      }),
    retire: (by, fingerprint) =>
      this.#call('retire', () => {
        const asking = this.#who(by);
        if (!asking) return REFUSED;
        if (asking.fingerprint === fingerprint) return { kind: 'declined', status: 409, code: 'key_in_use', detail: 'it asks itself' };
        const key = this.keys.find((one) => one.fingerprint === fingerprint);
        if (key && this.#isReplaced(asking)) return REPLACED;
        const retired = key !== undefined && this.#isAlive(key);
        if (key) key.alive = false;
        return { kind: 'done', value: { fingerprint, retired } };
      }),
  };

  readonly configured: ConfiguredKey = {
    read: () => ({ ...this.files }),
    changedAt: () => this.clock - 1_000,
    check: () => {},
    replace: (expected, values) =>
      this.#sync('replace', () => {
        if (!sameValues(this.files, expected)) return 'overtaken';
        this.files = { ...values };
        return 'done';
      }),
  };

  readonly store: KeyringStore = {
    read: () => structuredClone(this.disk),
    write: (keyring) =>
      this.#sync(`write ${keyring.rotation?.state ?? 'none'}`, () => {
        this.disk = structuredClone(keyring);
      }),
    append: (line) =>
      this.#sync('append', () => {
        if (this.log.at(-1)?.hash !== line.hash) this.log.push(line);
      }),
    seal: (_name, text) => text,
    open: (_name, kept) => kept,
  };

  readonly agent: RunningAgent = {
    hold: (_ms) =>
      this.#call('hold', () => {
        this.held = this.options.agentRuns;
        return this.options.agentRuns;
      }),
    release: () =>
      this.#call('release', () => {
        this.held = false;
      }),
    adopt: (fingerprint) =>
      this.#call('adopt', () => {
        this.held = false;
        if (!this.options.agentRuns) return { kind: 'absent' as const, detail: '' };
        this.agentUses = fingerprintOf(this.files);
        this.toldKey = this.agentUses;
        if (this.agentUses !== fingerprint) return { kind: 'pending' as const, detail: 'its configuration holds another key' };
        return this.alive().includes(fingerprint) ? { kind: 'accepted' as const, detail: '' } : { kind: 'refused' as const, detail: '401' };
      }),
  };

  async #call<T>(name: string, work: () => T): Promise<T> {
    return this.#sync(name, work);
  }

  #sync<T>(name: string, work: () => T): T {
    this.calls.push(name);
    const fault = this.#faults.get(++this.#count);
    const remote = NAMES.includes(name);
    if (fault === 'crash-before') throw new Crash(name);
    if (fault === 'unheard' && remote) throw unreachable('no answer');
    const result = work();
    // Between any two calls the agent beats: what it may not do while it is held.
    if (this.options.agentRuns && !this.held) this.beat();
    if (fault === 'crash-after' || this.crashWhen(name)) throw new Crash(name);
    if (fault === 'lost' && remote) throw unreachable('the request was sent and no answer came');
    return result;
  }

  #who(by: Values): ServiceKey | undefined {
    const key = this.keys.find(({ fingerprint }) => fingerprint === fingerprintOf(by));
    if (!key || !this.#isAlive(key)) return undefined;
    if (key.credentialId !== undefined && key.credentialId !== by['api.credential_id']) return undefined;
    key.used = true;
    return key;
  }

  /** Under `grace` a key in its window changes nothing any more once the new one is in use. */
  #isReplaced = (asking: ServiceKey | undefined): boolean =>
    this.options.policy === 'grace' && asking?.slot === 'previous' && this.keys.some((key) => key.slot === 'current' && key.used);

  #isAlive = ({ alive, until }: ServiceKey): boolean => alive && (until === null || until > this.clock);

  #bring(fingerprint: string, credentialId?: string): void {
    const { policy, graceMs } = this.options;
    for (const key of this.keys) {
      if (policy === 'immediate' || (policy === 'grace' && key.slot === 'previous')) key.alive = false;
      if (policy === 'grace' && key.slot === 'current') key.until = this.clock + graceMs;
      key.slot = 'previous';
    }
    this.keys.push({ fingerprint, alive: true, slot: 'current', until: null, ...(credentialId && { credentialId }) });
  }

  /** What the hub does with a key in its window that the current one registers: they change places. */
  #bringBack(there: ServiceKey, asking: ServiceKey): void {
    if (this.options.policy !== 'grace' || there.slot !== 'previous') return;
    Object.assign(asking, { slot: 'previous', until: this.clock + this.options.graceMs });
    Object.assign(there, { slot: 'current', until: null, used: false });
  }

  #window(): string | null {
    const until = this.keys.find((key) => key.slot === 'previous' && this.#isAlive(key) && key.until !== null)?.until;
    return until ? new Date(until).toISOString() : null;
  }

  #whoami(key: ServiceKey): Whoami {
    const pair = 'api.private_key' in this.options.first;
    return {
      service: 'scout-hub',
      service_id: this.options.serviceId,
      version: '1',
      server: pair ? null : { id: 'server-1', name: 'web-1', policy: this.options.policy },
      ...(pair && { credential: { id: 'c', name: 'ci', role: 'admin' as const, scopes: [] } }),
      fingerprint: key.fingerprint,
      slot: key.slot,
      previous_key_valid_until: this.#window(),
      rotation: this.options.abilities,
      time: new Date(this.clock).toISOString(),
    };
  }
}

const REPLACED: Answer<never> = { kind: 'forbidden', detail: 'another key has taken its place' };
const REFUSED: Answer<never> = { kind: 'refused', detail: 'not known here' };
const unreachable = (detail: string) => new ScoutError('SERVICE_UNREACHABLE', { endpoint: 'https://keys.test', detail });

function thumb(spki: string): string {
  const key = createPublicKey({ key: Buffer.from(spki, 'base64url'), format: 'der', type: 'spki' });
  const { e, n } = key.export({ format: 'jwk' });
  return createHash('sha256')
    .update(JSON.stringify({ e, kty: 'RSA', n }))
    .digest('hex')
    .slice(0, 12);
}

/** An API key that nobody issued. */
export const randomKey = (): Values => ({ 'api.key': createHash('sha256').update(randomUUID()).digest('hex') });
