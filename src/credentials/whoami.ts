import net from 'node:net';
import type { Dispatcher } from 'undici';
import { problemSchema, type Whoami, whoamiSchema } from '../protocol/heartbeat.ts';
import { PATHS, SERVICE } from '../protocol/wire.ts';
import { ScoutError } from '../support/errors.ts';
import { addressOf, type Connection, networkDetail } from './connect.ts';
import type { Credential } from './credential.ts';
import { proxyAuthorization } from './proxy.ts';

/** What the service itself said; `skew` is this clock minus its own, ms. */
export type Reply = { skew?: number } & (
  | { kind: 'accepted'; whoami: Whoami }
  | { kind: 'refused'; detail: string }
  | { kind: 'forbidden'; detail: string }
);

/** Most of an answer that is read. */
const MOST_BYTES = 65_536;

/**
 * Asks the service who we are, over a connection of its own. Throws SERVICE_UNEXPECTED when what answers is not the
 * service (a web page, a proxy's own 401), SERVICE_BUSY, or SERVICE_UNREACHABLE.
 */
export async function askWhoami(target: Connection, credential: Credential): Promise<Reply> {
  // Loaded here: the daemon takes other things from this folder, and undici is large. Its names stand under `default`
  // both in Node and in a bundle.
  const { default: undici } = await import('undici');
  const host = target.endpoint.hostname.replace(/^\[|\]$/g, '');
  const connect = { ...target.tls, ...(net.isIP(host) === 0 && { servername: host }), timeout: target.timeout };
  const authorization = target.proxy && proxyAuthorization(target.proxy);
  const dispatcher: Dispatcher = target.proxy
    ? new undici.ProxyAgent({
        uri: target.proxy.origin,
        ...(authorization && { token: authorization }),
        requestTls: connect,
        proxyTunnel: true,
      })
    : new undici.Agent({ connect });
  const url = addressOf(target.endpoint) + PATHS.whoami;
  try {
    const sent = Date.now();
    const response = await undici.request(url, {
      dispatcher,
      headers: { accept: 'application/json', ...credential.headers(sent) },
      headersTimeout: target.timeout,
      bodyTimeout: target.timeout,
    });
    const middle = (sent + Date.now()) / 2;
    const text = await readText(response.body);
    return judge(target, response.statusCode, response.headers, text, middle);
  } catch (error) {
    if (error instanceof ScoutError) throw error;
    throw new ScoutError(
      'SERVICE_UNREACHABLE',
      { endpoint: addressOf(target.endpoint), detail: networkDetail(error) },
      {},
      { cause: error },
    );
  } finally {
    await dispatcher.destroy();
  }
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MOST_BYTES) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}

type Headers = Record<string, string | string[] | undefined>;

function judge(target: Connection, status: number, headers: Headers, text: string, middle: number): Reply {
  const unexpected = (detail: string) => new ScoutError('SERVICE_UNEXPECTED', { endpoint: addressOf(target.endpoint), detail });
  const type = String(headers['content-type'] ?? '').split(';')[0];
  const page = type === 'text/html' ? 'with a web page' : type ? `with ${type}` : 'without a type';
  if (status === 407) throw unexpected('a proxy wants a user name and password (407)');
  if (status === 429 || status === 503)
    throw new ScoutError('SERVICE_BUSY', { endpoint: addressOf(target.endpoint), detail: `status ${status}` });
  if (status >= 300 && status < 400) throw unexpected(`it sends us elsewhere (${status} to ${placeOf(headers.location)})`);
  if (status === 401 || status === 403) {
    const own = type === 'application/problem+json' ? problemSchema.safeParse(json(text)) : undefined;
    if (!own?.success) throw unexpected(`${status} ${page}: that is not the service's own answer, but some proxy's or web server's`);
    return { kind: status === 401 ? 'refused' : 'forbidden', detail: own.data.detail, ...skewOf(headers, undefined, middle) };
  }
  if (status === 404) throw unexpected(`there is no ${PATHS.whoami} (404 ${page})`);
  if (status !== 200) throw unexpected(`status ${status} ${page}`);
  const parsed = whoamiSchema.safeParse(json(text));
  if (!parsed.success) throw unexpected(`200 ${page}, which is not the answer of a service for agents`);
  if (parsed.data.service !== SERVICE) throw unexpected('it says that it is another service than a scout-hub');
  return { kind: 'accepted', whoami: parsed.data, ...skewOf(headers, parsed.data.time, middle) };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The host that a redirection names; no more of it, since an address can carry a secret. */
function placeOf(location: string | string[] | undefined): string {
  const text = String(location ?? '');
  return URL.canParse(text) ? new URL(text).host : 'another page';
}

/** From the answer's own time, else from Date, which is cut to whole seconds: half of one is the best guess of the rest. */
function skewOf(headers: Headers, time: string | undefined, middle: number): { skew?: number } {
  const exact = time === undefined ? Number.NaN : Date.parse(time);
  if (!Number.isNaN(exact)) return { skew: middle - exact };
  const date = Date.parse(String(headers.date ?? ''));
  return Number.isNaN(date) ? {} : { skew: middle - date - 500 };
}
