import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { routes } from '../../src/hub/http/routes.ts';
import type { TestHub } from '../hub/helpers.ts';

export type Row = ReturnType<typeof routes>[number];

export interface Said {
  status: number;
  /** The word of a problem. */
  code: string | undefined;
  location: string;
  text: string;
}

let asked = 0;

/** Asks for a path of a hub as if from an address of its own; a stream of events is left once it has begun. */
export function ask(
  hub: TestHub,
  method: string,
  path: string,
  given: { headers?: Record<string, string>; body?: string | undefined } = {},
): Promise<Said> {
  asked++;
  const from = `10.${(asked >> 16) & 255}.${(asked >> 8) & 255}.${asked & 255}`;
  const headers = { 'x-forwarded-for': from, accept: 'application/json', ...given.headers };
  const { port } = hub.serving;
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers, ca: hub.ca, agent: hub.agent }, (answer) => {
      if (answer.headers['content-type']?.startsWith('text/event-stream')) {
        resolve(saidOf(answer, ''));
        return void answer.destroy();
      }
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve(saidOf(answer, Buffer.concat(chunks).toString())));
    });
    sent.on('error', reject);
    sent.end(given.body);
  });
}

function saidOf(answer: IncomingMessage, text: string): Said {
  const problem = answer.headers['content-type']?.startsWith('application/problem+json') ? JSON.parse(text) : undefined;
  return { status: answer.statusCode ?? 0, code: problem?.code, location: answer.headers.location ?? '', text };
}

/** What a request of a row carries so that it is understood as far as who asks is concerned, and changes nothing. */
export function emptyOf({ face, method }: Row, headers: Record<string, string>): { headers: Record<string, string>; body?: string } {
  if (method === 'GET' || method === 'DELETE') return { headers };
  if (face !== 'form') return { headers: { 'content-type': 'application/json', ...headers }, body: '{}' };
  const { 'x-csrf-token': csrf = '', ...rest } = headers;
  return { headers: { 'content-type': 'application/x-www-form-urlencoded', ...rest }, body: new URLSearchParams({ csrf }).toString() };
}
