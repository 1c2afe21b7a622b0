import { detailOf, type ErrorCode, ScoutError } from '../../../support/errors.ts';

/** What PostgreSQL says of an error (protocol 3, "Error and Notice Message Fields"), or Node of a socket. */
interface Fault extends Error {
  code?: string;
  severity?: string;
  constraint_name?: string;
}

/**
 * SQLSTATE classes that tell of the server, or of our leave to use it, and not of what was asked: connection, wrong
 * login, no such database, no room, a server that shuts down or starts, its input and output, and its own failure.
 */
const SERVER_CLASSES = ['08', '28', '3D', '53', '57', '58', 'XX'];
/** A server that only reads, as a standby does, and a primary after a fail-over. */
const READ_ONLY = '25006';
/** No lock in time; no permission. */
const SERVER_STATES = ['55P03', READ_ONLY, '42501'];
/** What a new attempt mends: two that waited for each other, and a partition that was dropped just now. */
const AGAIN_STATES = ['40001', '40P01', '23514'];

const faultOf = (error: unknown) => error as Fault;

/** Whether the server itself answered with an error and goes on, so that the connection may be used further. */
export function isAnswer(error: unknown): boolean {
  const { name, severity = '', code } = faultOf(error);
  return name === 'PostgresError' && severity !== 'FATAL' && severity !== 'PANIC' && code !== READ_ONLY;
}

/** Whether an error is about the connection or the server. */
export function isOutage(error: unknown): boolean {
  const { name, code = '' } = faultOf(error);
  if (name === 'PostgresError') return SERVER_CLASSES.includes(code.slice(0, 2)) || SERVER_STATES.includes(code) || !isAnswer(error);
  // The driver's own, the operating system's, and TLS's. SQLSTATEs have five characters, and these have more or begin with E.
  return /^(CONNECT|SASL_|E[A-Z]+$|ERR_(TLS|SSL|SOCKET|INVALID)|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|HOSTNAME)/.test(code);
}

/** Whether the same transaction may succeed when it is tried again at once. */
export const isPassing = (error: unknown): boolean =>
  faultOf(error).name === 'PostgresError' && AGAIN_STATES.includes(faultOf(error).code ?? '');

/** An error as the rest of the hub knows it: HUB_DATABASE where the database is at fault, else as it is. */
export function translated(error: unknown, name: string): unknown {
  if (!isOutage(error)) return error;
  const { code = '', message } = faultOf(error);
  // The driver's own words for a connection that broke name its host once more, and nothing else.
  const own = code.startsWith('CONNECTION_') && !message.startsWith('write ');
  const detail = own ? message : code.startsWith('CONNECTION_') ? 'the connection broke' : detailOf(error);
  // Without the cause: the driver hangs the statement's parameters on it.
  return new ScoutError('HUB_DATABASE', { name, detail });
}

/**
 * Runs `work`; throws `code` when what it adds breaks the unique `constraint`. The index decides, for two programs may
 * look at once, and both find it free.
 */
export async function unlessTaken<T>(
  constraint: string,
  code: ErrorCode,
  parameters: Record<string, string>,
  work: () => PromiseLike<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (faultOf(error).code === '23505' && faultOf(error).constraint_name === constraint) throw new ScoutError(code, parameters);
    throw error;
  }
}
