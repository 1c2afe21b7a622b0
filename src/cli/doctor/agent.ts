import { readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentStatus } from '../../agent/control.ts';
import { variablesOf } from '../../config/names.ts';
import type { SenderStatus } from '../../delivery/sender.ts';
import { formatDuration } from '../../support/durations.ts';
import { EXIT, problem } from '../../support/errors.ts';
import { fingerprint } from '../../support/fingerprint.ts';
import { single } from '../../support/self.ts';
import type { Surroundings } from '../../support/surroundings.ts';
import { VERSION } from '../../support/version.ts';
import { type Finding, findings, ofProblem } from './finding.ts';
import type { Patient } from './patient.ts';
import { REMEDIES } from './remedies.ts';
import { unitEnd } from './unit.ts';

const { ok, warning, failed, denied } = findings('agent');

/** A change is picked up within a few seconds; until then nothing is amiss. */
const PICK_UP_MS = 15_000;

/** The running agent: whether it answers, and whether it runs on what stands on the disk. */
export function checkAgent(patient: Patient): Finding[] {
  const { agent, socket } = patient;
  const { start, restart } = REMEDIES[patient.around];
  switch (agent.kind) {
    case 'dead':
      return [absent(ofProblem('agent', 'process', problem('AGENT_NOT_RUNNING', { path: socket })), patient.around, start)];
    case 'silent':
      return [failed('process', `process ${agent.pid ?? 'unknown'} has the state folder, but says nothing: ${agent.detail}`, restart)];
    case 'denied':
      return [denied('process', agent.detail, 'Run it as root, or as the user of the agent.')];
    case 'answers':
      return [
        processRow(agent.status),
        ...fileRow(agent.status, patient),
        ...reloadRow(agent.status, patient),
        ...keyRows(agent.status, patient),
        ...binaryRow(agent.status, patient),
        ...agent.status.destinations.map(delivery),
      ];
  }
}

/** How it ended, where the service manager knows: to start it again would bring no more. */
function absent(row: Finding, around: Surroundings, start: string): Finding {
  const end = around === 'systemd' ? unitEnd() : undefined;
  return end ? { ...row, detail: `${row.detail}; ${end.detail}`, remedy: end.remedy } : { ...row, remedy: start };
}

function processRow({ pid, version, uptime, state }: AgentStatus): Finding {
  const text = `process ${pid}, version ${version}, up ${formatDuration(uptime * 1_000)}, ${state}`;
  return state === 'degraded' ? warning('process', text, 'The rows below tell why.') : ok('process', text);
}

/** Two files for one agent, and the operator edits the wrong one. */
function fileRow({ config: { file } }: AgentStatus, { resolution }: Patient): Finding[] {
  if (real(file) === real(resolution.file)) return [];
  const text = `the agent reads ${file ?? 'the environment alone'}, and this command found ${resolution.file ?? 'none'}`;
  return [warning('file', text, `Edit the agent's own, or look at it with --config ${file ?? 'PATH'}.`)];
}

function reloadRow({ config: { loaded, problem: fault } }: AgentStatus, { resolution, now, around }: Patient): Finding[] {
  if (fault?.startsWith('changed, but')) return [failed('reload', fault, REMEDIES[around].restart, { cause: 'agent-not-restarted' })];
  if (fault !== null)
    return [failed('reload', `the configuration on the disk is not in force: ${fault}`, 'Correct it; the agent takes it up by itself.')];
  const late = resolution.watch.filter((path) => {
    const changed = changedAt(path);
    return changed !== undefined && changed > Date.parse(loaded) && now - changed > PICK_UP_MS;
  });
  if (late.length === 0) return [ok('reload', `read at ${loaded}, and nothing was changed since`)];
  const text = `read at ${loaded}; changed since then: ${late.join(', ')}`;
  return [warning('reload', text, REMEDIES[around].reload, { cause: 'agent-not-restarted' })];
}

function keyRows({ key, pid }: AgentStatus, { configured, around }: Patient): Finding[] {
  const used = key.fingerprint ?? 'none';
  const rows: Finding[] = [];
  if (key.problem)
    rows.push(
      failed(
        'key in use',
        `${used} (${key.from}): ${key.problem}`,
        'Set api.key to the current key, or run: scout-agent rotate --explain',
        { exit: EXIT.refused },
      ),
    );
  else if (configured !== undefined && configured !== used) rows.push(otherKey(used, configured, { pid, around }));
  else rows.push(ok('key in use', `fingerprint ${used}${key.slot ? `, slot ${key.slot}` : ''}`));
  return rows;
}

/** What the service manager put into its environment stays there until it is started again, and goes before the files. */
function otherKey(used: string, configured: string, { pid, around }: { pid: number; around: Surroundings }): Finding {
  const variable = variableWith(used, pid);
  const from = variable ? `, which stands in its environment as ${variable}` : '';
  const text = `the agent uses ${used}${from}, and the configuration has ${configured} by now`;
  return failed('key in use', text, REMEDIES[around].restart, { cause: 'agent-not-restarted', exit: EXIT.refused });
}

function variableWith(used: string, pid: number): string | undefined {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return variablesOf('api.key').find((name) =>
      environment.some((one) => one.startsWith(`${name}=`) && fingerprint(one.slice(name.length + 1)) === used),
    );
  } catch {
    return undefined;
  }
}

/** After an upgrade without a restart the old program goes on. */
function binaryRow({ version, pid, uptime }: AgentStatus, { now, around }: Patient): Finding[] {
  const { restart } = REMEDIES[around];
  if (version !== VERSION) return [warning('program', `the agent is version ${version}, and this command ${VERSION}`, restart)];
  try {
    if (process.platform === 'linux' && readlinkSync(`/proc/${pid}/exe`).endsWith(' (deleted)'))
      return [warning('program', 'its Node was replaced on the disk since it started', restart)];
  } catch {
    // Another user's process.
  }
  // Node and bundle in one: that was looked at above.
  if (single) return [ok('program', `version ${version}, as installed`)];
  const bundle = join(realpathSync(process.argv[1] ?? ''), '../../dist/agent/daemon.cjs');
  const replaced = changedAt(bundle, 'ctimeMs');
  if (replaced !== undefined && replaced > now - uptime * 1_000 + 1_000)
    return [warning('program', `${bundle} was replaced since the agent started`, restart)];
  return [ok('program', `version ${version}, as installed`)];
}

function delivery({ name, endpoint, state, pending, problem: found, last_accepted: last }: SenderStatus): Finding {
  const label = `delivery to ${name}`;
  if (!found) return ok(label, `${endpoint}: ${state}, ${last ? `last at ${last.time}` : 'nothing yet'}, ${pending} waiting`);
  const refused = found.reason === 'unauthorized' || found.reason === 'forbidden';
  const text = `${endpoint}: ${found.reason}, ${found.detail} (since ${found.since}, ${pending} waiting)`;
  return failed(label, text, refused ? 'See the key above.' : 'Nothing is lost: it waits in the outbox. See the service above.', {
    exit: refused ? EXIT.refused : EXIT.unreachable,
  });
}

function changedAt(path: string, time: 'mtimeMs' | 'ctimeMs' = 'mtimeMs'): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.[time];
}

function real(path: string | null): string | null {
  try {
    return path && realpathSync(path);
  } catch {
    return path;
  }
}
