import { paint } from '../output.ts';
import type { Diagnosis } from './doctor.ts';
import type { Finding, Status } from './finding.ts';

const STYLES = { ok: 'green', warning: 'yellow', failed: 'red', denied: 'red', unsupported: 'dim', stale: 'red' } as const satisfies Record<
  Status,
  string
>;

/** What `doctor --json` prints. */
export function reportJson({ ok, checks }: Diagnosis): { ok: boolean; checks: Omit<Finding, 'exit'>[] } {
  return { ok, checks: checks.map(({ exit: _, ...shown }) => shown) };
}

/** A table by groups, each remedy below what it mends, and what it comes to in the last line. */
export function reportText({ checks }: Pick<Diagnosis, 'checks'>): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const parts = [...Map.groupBy(checks, ({ group }) => group)].map(([group, rows]) => {
    const lines = rows.flatMap(({ name, status, detail, remedy, cause }) => [
      `  ${paint(STYLES[status], status.padEnd(11))}  ${name.padEnd(width)}  ${detail}${cause ? ` [${cause}]` : ''}`,
      ...(remedy && status !== 'ok' ? [`${' '.repeat(width + 17)}${paint('bold', '→')} ${remedy}`] : []),
    ]);
    return [paint('bold', group), ...lines].join('\n');
  });
  return `${parts.join('\n\n')}\n\n${verdict(checks)}`;
}

function verdict(checks: Pick<Finding, 'status'>[]): string {
  const count = (...wanted: Status[]) => checks.filter(({ status }) => wanted.includes(status)).length;
  const [bad, unseen, warnings] = [count('failed', 'stale'), count('denied'), count('warning')];
  if (bad + unseen + warnings === 0) return paint('green', 'Nothing is wrong.');
  const parts = [
    ...(bad > 0 ? [`${bad} failed`] : []),
    ...(unseen > 0 ? [`${unseen} not to be seen by this user`] : []),
    ...(warnings > 0 ? [`${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`] : []),
  ];
  return paint(bad + unseen > 0 ? 'red' : 'yellow', `${parts.join(', ')}.`);
}
