import { accessSync, constants, existsSync, readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { configSchema } from '../../config/schema.ts';
import { openToRead, outboxStats } from '../../delivery/inspect.ts';
import { formatBytes } from '../../support/durations.ts';
import { detailOf, problem } from '../../support/errors.ts';
import { type Finding, findings, ofProblem } from './finding.ts';
import type { Patient } from './patient.ts';

const { ok, warning, failed, denied } = findings('outbox');

/** Share of its byte cap at which an outbox is worth a word: what comes on top of all of it is dropped. */
const NEARLY = 0.8;

/** Whether heartbeats are safe: written to disk, with room to go on, and none lost. */
export function checkOutbox(patient: Patient): Finding[] {
  return [...durable(patient), ...space(patient), ...held(patient), ...setAside(patient)];
}

function durable({ agent }: Patient): Finding[] {
  if (agent.kind !== 'answers') return [];
  const { durable: safe, path } = agent.status.outbox;
  if (safe) return [ok('durable', `every heartbeat is on the disk before it is sent: ${path}`)];
  return [
    failed(
      'durable',
      `${path} cannot be written: heartbeats are in memory only`,
      'Free space on the disk, or correct owner and mode of the folder; the agent goes back to it by itself.',
    ),
  ];
}

function space({ resolution, state, agent }: Patient): Finding[] {
  const { min_free_bytes: floor, max_bytes: most } = resolution.config?.outbox ?? configSchema.parse({}).outbox;
  const rows: Finding[] = [];
  try {
    const { bsize, bavail, ffree, files } = statfsSync(state);
    const free = bsize * bavail;
    const text = `${formatBytes(free)} free on the disk of ${state}`;
    if (free < floor)
      rows.push(
        failed(
          'space',
          `${text}, less than outbox.min_free_bytes (${formatBytes(floor)}): it does not grow`,
          'Free space there, or move state_dir to another disk.',
        ),
      );
    else if (files > 0 && ffree === 0)
      rows.push(failed('space', `no inodes are left on the disk of ${state}`, 'Remove files there, or move state_dir to another disk.'));
    else rows.push(ok('space', text));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      rows.push(denied('space', detailOf(error), 'Run it as root, or as the user of the agent.'));
  }
  if (agent.kind === 'answers' && agent.status.outbox.bytes > most * NEARLY) {
    const text = `${formatBytes(agent.status.outbox.bytes)} of ${formatBytes(most)} (outbox.max_bytes): beyond that the oldest heartbeats go`;
    rows.push(warning('cap', text, 'Bring the service back, or raise outbox.max_bytes.'));
  }
  return rows;
}

/** From the agent where it answers; else from the file, whose losses it keeps. */
function held({ agent, state }: Patient): Finding[] {
  if (agent.kind === 'answers') {
    const { depth, losses } = agent.status.outbox;
    return [ok('held', `${depth} heartbeats wait`), ...losses.map((one) => lost(one.reason, one.count, one.from, one.to))];
  }
  const path = join(state, 'outbox.db');
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return [
      absent
        ? warning('held', `there is no outbox at ${path}`, 'The agent makes it when it starts.')
        : denied('held', detailOf(error), 'Run it as root, or as the user of the agent.'),
    ];
  }
  let db: ReturnType<typeof openToRead> | undefined;
  try {
    db = openToRead(path);
    const { depth, losses } = outboxStats(db, path);
    const time = (ms: number) => new Date(ms).toISOString();
    return [
      ok('held', `${depth} heartbeats wait in ${path}`),
      ...losses.map((one) => lost(one.reason, one.count, time(one.from), time(one.to))),
    ];
  } catch (error) {
    return [ofProblem('outbox', 'held', problem('OUTBOX_DAMAGED', { path, detail: detailOf(error).replace('ERR_SQLITE_ERROR ', '') }))];
  } finally {
    db?.close();
  }
}

const LOSSES: Record<string, string> = {
  cap: 'The service was away for too long: raise outbox.max_bytes, or lower outbox.min_free_bytes.',
  space: 'The disk was full: free space there.',
  damaged: 'The store was damaged (a disk fault, a power loss): check the disk.',
};

function lost(reason: string, count: number, from: string, to: string): Finding {
  return warning(
    `lost (${reason})`,
    `${count} heartbeats, sampled ${from} to ${to}, will not arrive`,
    LOSSES[reason] ?? 'The log tells more, at these times.',
  );
}

function setAside({ state }: Patient): Finding[] {
  try {
    if (!existsSync(state)) return [];
    return readdirSync(state)
      .filter((name) => /^outbox\.damaged-.*\.db$/.test(name))
      .map((name) =>
        warning(
          'set aside',
          `${join(state, name)} is a damaged store; what could be read of it was saved`,
          'Check the disk, then remove the file.',
        ),
      );
  } catch {
    // What this user may not list, the group of permissions tells.
    return [];
  }
}
