import type { CollectorStatus } from '../collectors/runner.ts';
import type { Outcome } from '../delivery/heartbeats.ts';
import type { LossStatus } from '../delivery/losses.ts';
import type { SenderStatus } from '../delivery/sender.ts';
import type { Problem } from '../support/errors.ts';
import type { KeyFrom } from './ladder.ts';
import type { Usage } from './meters.ts';

/** Requests and answers on the control socket: one line of JSON each way, then the socket closes. */
export type ControlRequest =
  | { command: 'status' }
  | { command: 'heartbeat' }
  | { command: 'stop' }
  | { command: 'reload' }
  /** Sends nothing to the service until `release`, or until `ms` have passed; answered once nothing is in flight. */
  | { command: 'hold'; ms: number }
  | { command: 'release' }
  /** Reads the configuration, ends a hold when this key stands there, and sends; answered once the service took, or refused, a heartbeat with it. */
  | { command: 'adopt'; fingerprint: string };

/** What `status --json` prints. */
export interface AgentStatus {
  state: 'starting' | 'running' | 'degraded' | 'stopping';
  version: string;
  pid: number;
  instance: string;
  /** Seconds since start. */
  uptime: number;
  config: { file: string | null; loaded: string; problem: string | null };
  /** `slot`: as the service told last. `variable`: of this process, where the configured key comes from one. `problem`: why another key than the configuration's is in use. */
  key: { fingerprint: string | null; slot: string | null; from: KeyFrom; variable: string | null; problem: string | null };
  /** Which host key this process opens with what is sealed on this machine; null: none. */
  host_key: string | null;
  last_accepted: { time: string; sequence: number } | null;
  last_sampled: { time: string; sequence: number } | null;
  outbox: { path: string; depth: number; bytes: number; max_bytes: number; durable: boolean; losses: LossStatus[] };
  destinations: SenderStatus[];
  collectors: CollectorStatus[];
  process: Usage;
}

/** What a heartbeat that was asked for came to; `heartbeat --json` prints it. */
export interface HeartbeatReport {
  instance: string;
  sequence: number;
  /** What the service said of it. When it was not accepted, the heartbeat lies in the outbox. */
  outcome: Outcome;
}

/** Whether the service took a heartbeat with the key that was to be adopted. */
export interface AdoptReport {
  outcome: 'accepted' | 'pending' | 'refused';
  detail: string;
}

export interface ReloadReport {
  ok: boolean;
  problems: Problem[];
}

/** The result of each command. */
export interface ControlResults {
  status: AgentStatus;
  heartbeat: HeartbeatReport;
  stop: { pid: number };
  reload: ReloadReport;
  hold: { held: true };
  release: { held: false };
  adopt: AdoptReport;
}

/** The one line that answers a request. */
export type ControlAnswer<Command extends ControlRequest['command']> =
  | { ok: true; result: ControlResults[Command] }
  | { ok: false; problem: Problem };

/** Name of the socket in the runtime folder. */
export const CONTROL_SOCKET = 'control.sock';
