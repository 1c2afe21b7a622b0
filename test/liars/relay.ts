import type { IncomingMessage, ServerResponse } from 'node:http';
import { request as ask } from 'node:https';
import { body } from '../delivery/tls.ts';
import type { Behind } from '../helpers/liars.ts';
import type { Bench } from '../helpers/programs.ts';
import type { Policy } from '../helpers/rotations.ts';

interface Answered {
  status: number;
  type: string;
  date: string;
  text: string;
}

/** The hub of a bench behind something that passes requests on to it: what the liars stand in front of. */
export class Relay implements Behind {
  readonly #bench: Bench;
  readonly policy: Policy;

  constructor(bench: Bench, policy: Policy) {
    this.#bench = bench;
    this.policy = policy;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { host: _, ...headers } = request.headers;
    const sent = await body(request);
    const { status, type, date, text } = await this.#ask(request.method ?? 'GET', request.url ?? '/', headers, sent);
    response.writeHead(status, { 'content-type': type, date }).end(text);
  }

  /** Whether the hub itself takes a key. */
  async accepts(key: string): Promise<boolean> {
    return (await this.#ask('GET', '/api/v1/whoami', { 'x-api-key': key })).status === 200;
  }

  #ask(method: string, path: string, headers: IncomingMessage['headers'], sent: Buffer = Buffer.alloc(0)): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const sending = ask(`${this.#bench.endpoint}${path}`, { method, headers, ca: this.#bench.ca, agent: false }, (answer) => {
        const done = (bytes: Buffer) =>
          resolve({
            status: answer.statusCode ?? 0,
            type: answer.headers['content-type'] ?? '',
            date: answer.headers.date ?? '',
            text: bytes.toString(),
          });
        body(answer).then(done, reject);
      });
      sending.once('error', reject).end(sent);
    });
  }
}
