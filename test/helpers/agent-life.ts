import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { AgentStatus } from '../../src/agent/control.ts';
import { AGENT, type Done, run } from './programs.ts';

/* Looking at an agent that runs: what it says of itself, and what the kernel says of it. */

/** What `status --json` prints; fails when nobody answers. */
export async function statusOf(config: string): Promise<AgentStatus> {
  const asked = await run(AGENT, ['status', '--json', '--config', config]);
  if (asked.status !== 0) throw new Error(`status: exit ${asked.status}\n${asked.stderr}`);
  return JSON.parse(asked.stdout);
}

/** Waits until the status is as `wanted` has it. */
export async function statusBecomes(config: string, wanted: (status: AgentStatus) => boolean): Promise<AgentStatus> {
  let status: AgentStatus | undefined;
  await expect
    .poll(
      async () => {
        status = await statusOf(config).catch(() => undefined);
        return status !== undefined && wanted(status);
      },
      { interval: 100, message: `last status: ${JSON.stringify(status)}` },
    )
    .toBe(true);
  return status as AgentStatus;
}

/** `scout-agent` with a configuration. */
export const agent = (config: string, ...args: string[]): Promise<Done> => run(AGENT, [...args, '--config', config]);

/** Lines of a JSON log. */
export function lines(output: string): Record<string, unknown>[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

/** How often a text occurs. */
export const count = (output: string, text: string): number => output.split(text).length - 1;

/** Arguments and environment of a process, as anybody with its user can read them. */
export function exposed(pid: number): string {
  return `${readFileSync(`/proc/${pid}/cmdline`, 'latin1')}\n${readFileSync(`/proc/${pid}/environ`, 'latin1')}`;
}

/** Numbers of the processes that a process has started and not yet buried. */
export const childrenOf = (pid: number): number[] =>
  (readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').match(/\d+/g) ?? []).map(Number);

/** Whether a process of this number runs; one that has ended and that nobody has asked about yet does not. */
export function alive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
