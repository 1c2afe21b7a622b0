import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:https';
import { expect } from 'vitest';

const PROGRAM = new URL('../../../src/cli/hub.ts', import.meta.url).href;
/** The program from its sources, whatever stands in dist. */
const CODE = `import { main } from ${JSON.stringify(PROGRAM)}; await main(process.argv.slice(1));`;

/** Starts scout-hub in a process of its own. */
export function start(args: string[], env: NodeJS.ProcessEnv = process.env): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, ['--input-type=module', '-e', CODE, '--', ...args], { env });
}

/** Runs scout-hub to its end. */
export async function scoutHub(
  args: string[],
  input = '',
  env?: NodeJS.ProcessEnv,
): Promise<{ status: number; stdout: string; stderr: string }> {
  const child = start(args, env);
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (chunk) => (text[name] += chunk));
  child.stdin.end(input);
  const [status] = await once(child, 'close');
  return { status, ...text };
}

/** Waits until a hub says that it is ready; returns what it said. Rejects when it ends before. */
export function ready(child: ChildProcessWithoutNullStreams): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += chunk;
      if (/^ready$/m.test(said)) resolve(said);
    });
    child.once('close', (code) => reject(new Error(`ended with ${code}: ${said}`)));
  });
}

/** Status of whoami, asked with a key over a connection of its own. */
export function whoami(port: number, ca: string, key: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, ca, path: '/api/v1/whoami', agent: false, headers: { 'x-api-key': key } };
    const sent = request(options, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** `scout-hub` on one data folder: what a command prints as JSON, and the error that one is to end with. */
export function commandsOn(data: () => string[]) {
  const json = async (...args: string[]) => {
    const { status, stdout, stderr } = await scoutHub([...args, '--json', ...data()]);
    expect(status, stderr).toBe(0);
    return JSON.parse(stdout);
  };
  const refused = async (code: string, status: number, ...args: string[]) =>
    expect(await scoutHub([...args, ...data()])).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(code) });
  return { json, refused };
}
