import type { Outcome } from '../delivery/heartbeats.ts';
import type { AdoptReport } from './control.ts';

/** Longest wait for what the service says. */
const ANSWER_MS = 30_000;

/** What `adopt` needs of the agent. */
export interface Adopting {
  /** Listens to what becomes of the requests to the service of `api.*`; returns how to listen no more. */
  listen(listener: (outcome: Outcome) => void): () => void;
  /** Reads the configuration; null, or why it is not in force. */
  reload(): Promise<string | null>;
  /** Fingerprint of the key that the configuration in force holds. */
  configured(): string;
  /** Ends a hold: the reading is done. */
  release(): void;
  /** Sends something with the configured key, now. */
  send(): Promise<void>;
}

/**
 * Sends with the key that the configuration holds by now, ending a hold, and tells what the service said to the first
 * request that this very key carried. Answers at once, `pending`, where the configuration in force holds another one.
 */
export async function adopt(agent: Adopting, fingerprint: string): Promise<AdoptReport> {
  const { promise, resolve } = Promise.withResolvers<AdoptReport>();
  const forget = agent.listen((outcome) => {
    const report = outcome.by === fingerprint ? judge(outcome) : undefined;
    if (report) resolve(report);
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    const fault = await agent.reload();
    if (fault !== null) return pending(`the new configuration is not in force: ${fault}`);
    const configured = agent.configured();
    if (configured !== fingerprint) return pending(`the configuration it reads holds ${configured}, not ${fingerprint}`);
    // Only now: what it would have sent before, it would have sent with the old key.
    agent.release();
    timer = setTimeout(() => resolve(pending(`no answer within ${ANSWER_MS / 1_000} s`)), ANSWER_MS);
    await agent.send();
    return await promise;
  } finally {
    clearTimeout(timer);
    forget();
  }
}

const pending = (detail: string): AdoptReport => ({ outcome: 'pending', detail });

/** Undefined for what says something of the heartbeat only. */
function judge(outcome: Outcome): AdoptReport | undefined {
  switch (outcome.kind) {
    case 'accepted':
      return { outcome: 'accepted', detail: 'a heartbeat was accepted with it' };
    case 'unauthorized':
    case 'forbidden':
      return { outcome: 'refused', detail: outcome.detail };
    case 'unavailable':
      return pending(outcome.detail);
    default:
      return undefined;
  }
}
