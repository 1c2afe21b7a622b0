import { detailOf, EXIT, ScoutError } from '../../support/errors.ts';
import type { RunOptions } from '../agent/run-options.ts';
import { checkAgent } from './agent.ts';
import { checkCollectors } from './collectors.ts';
import { checkConfiguration } from './configuration.ts';
import { checkDependencies } from './dependencies.ts';
import { exitOf, type Finding, findings, type Group, ofProblem } from './finding.ts';
import { checkKeyring } from './keyring.ts';
import { checkOutbox } from './outbox.ts';
import { examine } from './patient.ts';
import { checkPermissions } from './permissions.ts';
import { checkService } from './service.ts';

/** All that was looked at, and the exit status of the worst. */
export interface Diagnosis {
  ok: boolean;
  checks: Finding[];
  exit: number;
  /** Calls into the kernel that will not return: the process cannot end by itself. */
  hung: number;
}

/** Looks at everything that can keep heartbeats from arriving. A part that fails itself is a finding; the others go on. */
export async function diagnose(options: RunOptions): Promise<Diagnosis> {
  const patient = await examine(options);
  let hung = 0;
  const collectors = async () => {
    const found = await checkCollectors(patient);
    hung = found.hung;
    return found.rows;
  };
  const parts: [Group, () => Finding[] | Promise<Finding[]>][] = [
    ['configuration', () => checkConfiguration(patient)],
    ['permissions', () => checkPermissions(patient)],
    ['service', () => checkService(patient)],
    ['agent', () => checkAgent(patient)],
    ['outbox', () => checkOutbox(patient)],
    ['keyring', () => checkKeyring(patient)],
    ['collectors', collectors],
    ['dependencies', () => checkDependencies(patient.around)],
  ];
  const checks = (await Promise.all(parts.map(([group, work]) => guarded(group, work)))).flat();
  const exit = exitOf(checks);
  return { ok: exit === EXIT.done, checks, exit, hung };
}

async function guarded(group: Group, work: () => Finding[] | Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ScoutError) return [ofProblem(group, group, error.problem)];
    return [findings(group).failed(group, `this could not be looked at: ${detailOf(error)}`, 'Please report it.')];
  }
}
