import { connect } from 'node:net';
import { detailOf, ScoutError } from '../support/errors.ts';
import type { ControlAnswer, ControlRequest, ControlResults } from './control.ts';
import { type SocketPath, socketPath } from './socket-path.ts';

const MOST_ANSWER_BYTES = 4 * 2 ** 20;

/**
 * Asks the running agent over its control socket. Throws AGENT_NOT_RUNNING when nobody listens at `path` or answers
 * within `timeoutMs`, FILE_UNREADABLE when this user may not connect, and whatever problem the agent answers with.
 */
export async function ask<Request extends ControlRequest>(
  path: string,
  request: Request,
  timeoutMs: number,
): Promise<ControlResults[Request['command']]> {
  let reached: SocketPath | undefined;
  try {
    reached = socketPath(path);
    const line = await exchange(reached.path, `${JSON.stringify(request)}\n`, timeoutMs);
    const answer = JSON.parse(line) as ControlAnswer<Request['command']>;
    if (answer.ok) return answer.result;
    throw ScoutError.of(answer.problem);
  } catch (error) {
    if (error instanceof ScoutError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EACCES' || code === 'EPERM')
      throw new ScoutError('FILE_UNREADABLE', { path, detail: detailOf(error) }, {}, { cause: error });
    throw new ScoutError('AGENT_NOT_RUNNING', { path }, {}, { cause: error });
  } finally {
    reached?.close();
  }
}

function exchange(path: string, line: string, timeoutMs: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let size = 0;
  const socket = connect({ path }, () => socket.end(line));
  const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MOST_ANSWER_BYTES) socket.destroy(new Error('the answer is too long'));
  });
  socket.once('error', reject);
  socket.once('close', () => {
    clearTimeout(timer);
    resolve(Buffer.concat(chunks).toString('utf8'));
  });
  return promise;
}
