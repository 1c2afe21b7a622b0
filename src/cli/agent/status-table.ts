import type { AgentStatus } from '../../agent/control.ts';
import type { CollectorStatus } from '../../collectors/runner.ts';
import type { SenderStatus } from '../../delivery/sender.ts';
import { formatBytes, formatDuration } from '../../support/durations.ts';
import { paint, table } from '../output.ts';

const STATE_STYLES = { starting: 'yellow', running: 'green', degraded: 'red', stopping: 'yellow' } as const;

/** What `status` shows to people; `now` is ms since the epoch, by the clock that the times came from. */
export function renderStatus(status: AgentStatus, now: number): string {
  return [facts(status, now), destinations(status.destinations, now), collectors(status.collectors)].filter(Boolean).join('\n\n');
}

function facts(status: AgentStatus, now: number): string {
  const { config, key, outbox, process: used } = status;
  const state = paint(STATE_STYLES[status.state], status.state);
  const moment = (at: { time: string; sequence: number } | null) =>
    at ? `${at.time} (${age(at.time, now)} ago), number ${at.sequence}` : 'none yet';
  const rows: [string, string][] = [
    ['agent', `${state}, process ${status.pid}, version ${status.version}, up ${formatDuration(status.uptime * 1_000)}`],
    ['configuration', `${config.file ?? 'from the environment'}, read ${age(config.loaded, now)} ago`],
    ...(config.problem ? ([['', paint('red', config.problem)]] as [string, string][]) : []),
    ['key', key.fingerprint ? `fingerprint ${key.fingerprint}${key.slot ? `, slot ${key.slot}` : ''}` : 'none'],
    ...(key.problem ? ([['', paint('red', key.problem)]] as [string, string][]) : []),
    ['last sampled', moment(status.last_sampled)],
    ['last accepted', moment(status.last_accepted)],
    ['outbox', `${outbox.depth} waiting, ${formatBytes(outbox.bytes)} of ${formatBytes(outbox.max_bytes)}, ${outbox.path}`],
    ...(outbox.durable
      ? []
      : ([['', paint('red', 'not durable: the disk cannot be written, heartbeats are kept in memory')]] as [string, string][])),
    ...outbox.losses.map(({ reason, count, from, to }): [string, string] => [
      'lost',
      paint('red', `${count} (${reason}), sampled ${from} to ${to}`),
    ]),
    ['cost', cost(used)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join('\n');
}

function cost({ rss, private: own, cpu_seconds: seconds }: AgentStatus['process']): string {
  return `${formatBytes(rss)} resident${own === null ? '' : `, ${formatBytes(own)} of it private`}, ${seconds.toFixed(2)} s of processor time`;
}

function destinations(found: SenderStatus[], now: number): string {
  const rows = found.map(({ name, endpoint, state, pending, accepted, last_accepted: last, problem }) => [
    name,
    endpoint,
    paint(state === 'delivering' ? 'green' : state === 'starting' ? 'yellow' : 'red', state),
    pending,
    accepted,
    last ? `${age(last.time, now)} ago` : 'never',
    problem
      ? `${problem.reason}: ${problem.detail} (since ${age(problem.since, now)}, next try in ${formatDuration(problem.next_attempt_in * 1_000)})`
      : '',
  ]);
  return rows.length > 0 ? table(['destination', 'endpoint', 'state', 'pending', 'accepted', 'last', 'problem'], rows) : '';
}

function collectors(found: CollectorStatus[]): string {
  const rows = found.map(({ name, state, duration, detail, denied }) => [
    name,
    paint(state === 'ok' ? 'green' : state === 'unsupported' ? 'dim' : 'red', state),
    `${(duration * 1_000).toFixed(1)} ms`,
    detail ?? (denied ? `not permitted: ${denied.join(', ')}` : ''),
  ]);
  return rows.length > 0 ? table(['collector', 'state', 'took', 'detail'], rows) : '';
}

/** A clock that was set back must not show a time that is yet to come. */
function age(time: string, now: number): string {
  return formatDuration(Math.max(0, Math.round((now - Date.parse(time)) / 1_000) * 1_000));
}
