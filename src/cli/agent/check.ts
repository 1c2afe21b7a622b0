import { type CommandOptions, resolveOptions } from '../../config/options.ts';
import { exitOf, resolveConfig } from '../../config/resolve.ts';
import type { Resolution, ResolvedValue, Source } from '../../config/resolved.ts';
import type { Proof } from '../../credentials/proof.ts';
import { EXIT, formatProblem, type Problem } from '../../support/errors.ts';
import { out, paint, table } from '../output.ts';

export interface CheckOptions extends CommandOptions {
  online?: boolean;
  json?: boolean;
}

/**
 * `--check-config`: tells what the configuration is and everything that is wrong with it, and with `online` also
 * whether the service takes the key. Returns the exit status.
 */
export async function checkConfig(options: CheckOptions): Promise<number> {
  const resolution = resolveConfig(resolveOptions(options));
  let exit = exitOf(resolution.problems);
  let online: Proof | undefined;
  let problems = resolution.problems;
  if (options.online && resolution.config) {
    const { proveCredential } = await import('../../credentials/prove.ts');
    const proved = await proveCredential(resolution.config);
    online = proved.proof;
    problems = [...problems, ...proved.problems];
    exit = exitOf(problems);
  }
  const ok = exit === EXIT.done;
  if (options.json) out.json({ ok, file: resolution.file, values: resolution.values, problems, ...(online && { online }) });
  else print({ ...resolution, ok, problems }, online);
  return exit;
}

function print(resolution: Resolution, online: Proof | undefined): void {
  out.line(`Configuration: ${resolution.file ?? 'none, from the environment alone'}`);
  if (resolution.values.length > 0) out.line(`\n${valueTable(resolution.values)}`);
  if (online) {
    out.line(`\nOnline: ${online.endpoint}`);
    for (const step of online.steps)
      out.line(`  ${step.ok ? paint('green', 'ok    ') : paint('red', 'failed')}  ${step.name}: ${step.detail}`);
  }
  if (resolution.problems.length > 0) out.line();
  for (const found of resolution.problems) out.line(paint(found.severity === 'error' ? 'red' : 'yellow', formatProblem(found)));
  out.line(`\n${verdict(resolution, online)}`);
}

function verdict(resolution: Resolution, online: Proof | undefined): string {
  const count = (severity: Problem['severity']) => resolution.problems.filter((found) => found.severity === severity).length;
  const plural = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;
  const warnings = count('warning') > 0 ? `, ${plural(count('warning'), 'warning')}` : '';
  if (!resolution.ok) return paint('red', `Not valid: ${plural(count('error'), 'error')}${warnings}.`);
  return paint('green', online ? `Valid, and the service accepts the key${warnings}.` : `Valid${warnings}.`);
}

/** Settings with their values and where each came from, aligned. */
export function valueTable(values: ResolvedValue[]): string {
  const rows = values.map(({ name, value, fingerprint, source }) => [
    name,
    `${text(value)}${fingerprint ? ` (fingerprint ${fingerprint})` : ''}`,
    originText(source),
  ]);
  return table(['setting', 'value', 'from'], rows);
}

function text(value: unknown): string {
  if (value === undefined || value === null) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function originText(source: Source): string {
  if (source === 'default') return 'default';
  if ('variable' in source) return `$${source.variable}`;
  return 'option' in source ? source.option : `${source.file}:${source.line}:${source.column}`;
}
