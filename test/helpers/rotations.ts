import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ask } from '../../src/agent/control-client.ts';
import type { Keyring } from '../../src/credentials/keyring.ts';
import { AGENT, type Bench, type Done, run, type Shown } from './programs.ts';

/* What keys there are, on the host and at the hub, for tests that rotate. */

export interface HubKey {
  fingerprint: string;
  slot: string;
  enabled: boolean;
  valid_until: string | null;
}

/** What the hub says of a server, keys and all. */
export type ShownKeys = Shown & { keys: HubKey[] };

export const POLICIES = ['immediate', 'grace', 'multi'] as const;
export type Policy = (typeof POLICIES)[number];

/** One host of the bench: a server registered at the hub, and the configuration of its agent. */
export class HostUnderTest {
  readonly #bench: Bench;
  readonly name: string;
  readonly config: string;
  readonly state: string;

  constructor(bench: Bench, name: string, config: string, state: string) {
    this.#bench = bench;
    this.name = name;
    this.config = config;
    this.state = state;
  }

  get socket(): string {
    return join(this.state, 'run', 'control.sock');
  }

  /** The keyring as it is on disk; undefined before the first rotation. */
  get keyring(): Keyring | undefined {
    try {
      return JSON.parse(readFileSync(join(this.state, 'keyring.json'), 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Fingerprints of all keys that the keyring holds, whatever their slot. */
  get kept(): string[] {
    const { keyring } = this;
    if (!keyring) return [];
    const { current, next, previous, quarantine } = keyring;
    return [current, next, previous, ...quarantine].flatMap((key) => (key ? [key.fingerprint] : []));
  }

  /** Fingerprint of the key in the configuration. */
  async configured(): Promise<string> {
    const { values } = JSON.parse((await this.agent('--check-config', '--json')).stdout) as {
      values: { name: string; fingerprint?: string }[];
    };
    return values.find(({ name }) => name === 'api.key')?.fingerprint ?? 'none';
  }

  /** The hub's books. */
  async show(): Promise<ShownKeys> {
    return (await this.#bench.show(this.name)) as ShownKeys;
  }

  /** Fingerprints of the keys that the hub takes at this moment. */
  async alive(): Promise<string[]> {
    const { keys } = await this.show();
    const good = keys.filter(({ enabled, valid_until: until }) => enabled && (until === null || Date.parse(until) > Date.now()));
    return good.map(({ fingerprint }) => fingerprint);
  }

  /** A command of scout-agent on this configuration. */
  agent(...args: string[]): Promise<Done> {
    return run(AGENT, [...args, '--config', this.config]);
  }

  /** Has the running agent send a heartbeat, and returns what became of it. */
  async heartbeat(): Promise<{ kind: string; fingerprint?: string | null }> {
    const { outcome } = await ask(this.socket, { command: 'heartbeat' }, 20_000);
    return outcome as { kind: string; fingerprint?: string | null };
  }

  async auditHolds(): Promise<void> {
    expect(await this.agent('audit', 'verify')).toMatchObject({ status: 0, stderr: '' });
  }
}

/** Registers a server under a policy, and configures an agent for it. */
export async function host(bench: Bench, name: string, policy: Policy, more = '', grace = '24h'): Promise<HostUnderTest & { key: string }> {
  const added = JSON.parse(await bench.hubCommand(['server', 'add', name, '--policy', policy, '--grace', grace, '--json']));
  const config = bench.configure(name, added.key, more);
  return Object.assign(new HostUnderTest(bench, name, config, join(bench.folder, `${name}-state`)), { key: added.key as string });
}
