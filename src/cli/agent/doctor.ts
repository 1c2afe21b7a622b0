import { out } from '../output.ts';
import { example, type Verb } from '../program.ts';
import { folderOptions, type RunOptions } from './run-options.ts';

/** `doctor`: everything that can keep heartbeats from arriving, with the remedy. */
export const verb: Verb = (program) => {
  const command = folderOptions(
    program
      .command('doctor')
      .description('look at configuration, permissions, service, agent, outbox, keys and collectors, and say what to do'),
  ).option('--json', 'print one JSON document');
  example(command, 'scout-agent doctor', 'scout-agent doctor --json | jq \'.checks[] | select(.status != "ok")\'').action(doctor);
};

async function doctor(options: RunOptions & { json?: boolean }): Promise<void> {
  const [{ diagnose }, { reportJson, reportText }] = await Promise.all([import('../doctor/doctor.ts'), import('../doctor/report.ts')]);
  const found = await diagnose(options);
  if (options.json) out.json(reportJson(found));
  else out.line(reportText(found));
  process.exitCode = found.exit;
  if (found.hung > 0) leave(found.exit);
}

/** A thread that hangs in statfs on a dead mount would keep this process for ever; becoming another program does not wait. */
export function leave(status: number): void {
  process.stdout.write('', () => process.execve?.('/bin/sh', ['sh', '-c', `exit ${status}`], {}));
}
