import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { HeartbeatReport } from '../../agent/control.ts';
import type { Outcome } from '../../delivery/heartbeats.ts';
import { ScoutError } from '../../support/errors.ts';
import { out } from '../output.ts';
import { example, type Verb } from '../program.ts';
import { folderOptions, type RunOptions, runArguments } from './run-options.ts';
import { findPlaces } from './running.ts';

interface Options extends RunOptions {
  json?: boolean;
}

/** A service may take as long as api.timeout allows, and a heartbeat may have to wait for one that is under way. */
const ANSWER_MS = 120_000;
/** How long the outbox may be another's, and how often to look. */
const PATIENCE_MS = 15_000;
const LOOK_MS = 200;

/** `heartbeat`: samples and sends one now, by the running agent, or by itself where none runs. */
export const verb: Verb = (program) => {
  const command = folderOptions(
    program.command('heartbeat').description('send one heartbeat now, and print what the service answered'),
  ).option('--json', 'print one JSON document');
  example(command, 'scout-agent heartbeat').action(heartbeat);
};

async function heartbeat(options: Options): Promise<void> {
  const { socket, endpoint = 'the service' } = await findPlaces(options);
  const { report, fingerprint } = await send(socket, options);
  const failure = failureOf(report.outcome, endpoint, fingerprint ?? 'unknown');
  if (options.json) {
    out.json({ ...report, endpoint, fingerprint });
    if (failure) process.exitCode = failure.exit;
    return;
  }
  if (report.outcome.kind === 'accepted')
    return out.line(`Heartbeat ${report.sequence} accepted by ${endpoint}${keyText(report.outcome, fingerprint)}.`);
  out.note(
    `Heartbeat ${report.sequence} was not accepted; ${report.outcome.kind === 'rejected' ? 'it is not sent again' : 'it stays in the outbox'}.`,
  );
  if (failure) throw failure;
}

/** Another one of these, or an agent that is just starting, has the outbox for a moment. */
async function send(socket: string, options: Options): Promise<Sent> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return existsSync(socket) ? await byAgent(socket, options) : await byOurselves(options);
    } catch (error) {
      if (!(error instanceof ScoutError) || error.code !== 'AGENT_RUNNING' || performance.now() > end) throw error;
      await delay(LOOK_MS);
    }
  }
}

async function byAgent(socket: string, options: Options): Promise<Sent> {
  const { ask } = await import('../../agent/control-client.ts');
  try {
    const report = await ask(socket, { command: 'heartbeat' }, ANSWER_MS);
    // After a search through the keyring the last key that was refused is not the one that was set.
    if (report.outcome.kind === 'unauthorized')
      return { report, fingerprint: (await ask(socket, { command: 'status' }, ANSWER_MS)).key.fingerprint };
    return { report, fingerprint: report.outcome.by ?? null };
  } catch (error) {
    // A socket that a killed agent left behind; whether one runs after all, its lock tells.
    if (error instanceof ScoutError && error.code === 'AGENT_NOT_RUNNING') return byOurselves(options);
    throw error;
  }
}

async function byOurselves(options: Options): Promise<Sent> {
  const { sendOnce } = await import('../../agent/once.ts');
  const { fingerprint, ...report } = await sendOnce(process.argv[1] as string, runArguments(options));
  return { report, fingerprint };
}

interface Sent {
  report: HeartbeatReport;
  fingerprint: string | null;
}

function keyText(outcome: Outcome & { kind: 'accepted' }, sent: string | null): string {
  const fingerprint = outcome.fingerprint ?? sent;
  return fingerprint ? ` with key ${fingerprint}${outcome.slot ? ` (${outcome.slot})` : ''}` : '';
}

/** The error that fits what the service said; undefined when it was accepted. */
export function failureOf(outcome: Outcome, endpoint: string, fingerprint: string): ScoutError | undefined {
  switch (outcome.kind) {
    case 'accepted':
      return undefined;
    case 'unauthorized':
      return new ScoutError('KEY_REFUSED', { endpoint, fingerprint });
    case 'forbidden':
      return new ScoutError('KEY_FORBIDDEN', { endpoint, fingerprint, detail: outcome.detail });
    case 'too-large':
      return new ScoutError('SERVICE_UNEXPECTED', { endpoint, detail: 'one heartbeat alone is too large for it (413)' });
    case 'rejected':
      return new ScoutError('SERVICE_UNEXPECTED', { endpoint, detail: outcome.detail });
    case 'unavailable':
      return new ScoutError(UNAVAILABLE[outcome.reason], { endpoint, detail: outcome.detail });
  }
}

const UNAVAILABLE = {
  busy: 'SERVICE_BUSY',
  'server-error': 'SERVICE_BUSY',
  tls: 'SERVICE_TLS',
  dns: 'SERVICE_UNREACHABLE',
  refused: 'SERVICE_UNREACHABLE',
  reset: 'SERVICE_UNREACHABLE',
  timeout: 'SERVICE_UNREACHABLE',
  proxy: 'PROXY_AUTH',
  unexpected: 'SERVICE_UNEXPECTED',
} as const;
