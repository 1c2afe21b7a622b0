import type { Outcome } from '../delivery/heartbeats.ts';
import type { Problem } from '../support/errors.ts';

/** Requests and answers on the control socket: one line of JSON each way, then the socket closes. */
export type ControlRequest = { command: 'status' } | { command: 'heartbeat' } | { command: 'stop' } | { command: 'reload' };

export interface DestinationStatus {
  name: string;
  endpoint: string;
  state: 'starting' | 'delivering' | 'retrying' | 'unauthorized' | 'forbidden';
  /** Heartbeats not yet delivered there. */
  pending: number;
  /** Last accepted: when (RFC 3339) and which sequence; null before the first. */
  last_accepted: { time: string; instance: string; sequence: number } | null;
  /** Fingerprint the service accepted, and its slot. */
  fingerprint: string | null;
  slot: string | null;
  previous_key_valid_until: string | null;
  /** The failure in force, null when delivering. */
  problem: { since: string; reason: string; detail: string; next_attempt_in: number } | null;
  accepted: number;
  duplicates: number;
}

export interface CollectorStatus {
  name: string;
  state: 'ok' | 'failed' | 'stale' | 'unsupported';
  /** Seconds that the last run took. */
  duration: number;
  detail?: string;
}

interface LossStatus {
  reason: string;
  count: number;
  /** Range of the sampling times lost, RFC 3339. */
  from: string;
  to: string;
}

/** What `status --json` prints. */
export interface AgentStatus {
  state: 'starting' | 'running' | 'degraded' | 'stopping';
  version: string;
  pid: number;
  instance: string;
  /** Seconds since start. */
  uptime: number;
  config: { file: string | null; loaded: string; problem: string | null };
  key: { fingerprint: string | null; slot: string | null };
  last_accepted: { time: string; sequence: number } | null;
  last_sampled: { time: string; sequence: number } | null;
  outbox: { path: string; depth: number; bytes: number; max_bytes: number; durable: boolean; losses: LossStatus[] };
  destinations: DestinationStatus[];
  collectors: CollectorStatus[];
  /** Bytes resident, bytes private (Linux), and processor seconds used since start. */
  process: { rss: number; private: number | null; cpu_seconds: number };
}

/** What a heartbeat that was asked for came to; `heartbeat --json` prints it. */
export interface HeartbeatReport {
  instance: string;
  sequence: number;
  /** What the service said of it. When it was not accepted, the heartbeat lies in the outbox. */
  outcome: Outcome;
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
}

/** The one line that answers a request. */
export type ControlAnswer<Command extends ControlRequest['command']> =
  | { ok: true; result: ControlResults[Command] }
  | { ok: false; problem: Problem };

/** Name of the socket in the runtime folder. */
export const CONTROL_SOCKET = 'control.sock';
