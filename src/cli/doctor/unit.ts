import { execFileSync } from 'node:child_process';

/** What systemd and the journal tell of an agent that is not there: what became of it, and what to do. */
export interface UnitEnd {
  detail: string;
  remedy: string;
}

const PROPERTIES = ['LoadState', 'UnitFileState', 'ActiveState', 'SubState', 'Result', 'ExecMainStatus', 'ExecMainExitTimestamp'];
const UNIT = 'scout-agent.service';

/** Why the packaged service does not run; undefined where there is no such unit, or nothing that it ended with. */
export function unitEnd(): UnitEnd | undefined {
  const told = run('systemctl', 'show', UNIT, '-p', PROPERTIES.join(','));
  return told === undefined ? undefined : endOf(told, () => run('journalctl', '-q', '-u', UNIT, '-n', '50', '-o', 'cat'));
}

/** What the properties of the unit (`systemctl show`) mean; `journal` has its last lines, asked for where they help. */
export function endOf(told: string, journal: () => string | undefined): UnitEnd | undefined {
  const of = Object.fromEntries(told.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  const start = of.UnitFileState === 'disabled' ? `systemctl enable --now scout-agent` : 'systemctl start scout-agent';
  if (of.LoadState === 'masked')
    return { detail: 'its unit is masked', remedy: 'Run: systemctl unmask scout-agent && systemctl start scout-agent' };
  if (of.LoadState === 'bad-setting' || of.LoadState === 'error')
    return {
      detail: 'systemd does not take its unit',
      remedy: `Look at it: systemctl status scout-agent; systemctl cat scout-agent. Correct the drop-in, then: systemctl daemon-reload && ${start}`,
    };
  if (of.LoadState !== 'loaded') return undefined;
  if (!of.Result || of.Result === 'success')
    return of.UnitFileState === 'disabled' ? { detail: 'its unit is disabled', remedy: `Start it: ${start}` } : undefined;
  const lines = lastRun(journal()?.split('\n') ?? []);
  // What the agent said last goes before how systemd calls its end.
  const word = lastOf(lines, /\berror ([A-Z][A-Z_]+: .*)$/) ?? lastOf(lines, /: Main process exited, (.*)$/);
  const how = of.Result === 'exit-code' ? `exit status ${of.ExecMainStatus}` : `result ${of.Result}`;
  const when = of.ExecMainExitTimestamp ? ` on ${of.ExecMainExitTimestamp}` : '';
  const again = of.SubState === 'auto-restart' ? '; systemd tries it again by itself' : '';
  return {
    detail: `the service ended with ${how}${when}${word ? `: ${word}` : ''}${again}`,
    remedy: `Mend that (journalctl -u scout-agent -n 20 has it whole), then: ${start}`,
  };
}

/** What an earlier start ended with was mended since, maybe. */
function lastRun(lines: string[]): string[] {
  return lines.slice(1 + lines.findLastIndex((line) => /^Starting scout-agent\.service/.test(line)));
}

function lastOf(lines: string[], form: RegExp): string | undefined {
  return lines.map((line) => form.exec(line)?.[1]).findLast((word) => word !== undefined);
}

function run(command: string, ...args: string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 5_000 });
  } catch {
    return undefined;
  }
}
