import { mkdtempSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { makeAuthority, makeLeaf, type Pair } from '../../src/hub/tls/certificates.ts';
import { fingerprint } from '../../src/support/fingerprint.ts';

export interface Authority {
  /** A file that holds the certificate. */
  file: string;
  /** A certificate for these names, of today or of another day. */
  issue(names?: string[], now?: number): Pair;
}

/** A certificate authority for one test file, and what it signs. */
export function authority(): Authority {
  const name = 'test authority';
  const own = makeAuthority(name, Date.now() - 1_000 * 86_400_000);
  const file = join(mkdtempSync(join(os.tmpdir(), 'scout-tls-')), 'ca.pem');
  writeFileSync(file, own.cert);
  return { file, issue: (names = ['localhost', '127.0.0.1', '::1'], now = Date.now()) => makeLeaf(own, name, names, now) };
}

/** A TLS server on loopback that ends with the test. */
export async function serve(
  options: ServerOptions,
  listener: RequestListener,
  host = '127.0.0.1',
): Promise<{ server: Server; endpoint: string; port: number }> {
  const server = createServer(options, listener);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { server, port, endpoint: `https://${host.includes(':') ? `[${host}]` : host}:${port}` };
}

/** The whole body of a request. */
export async function body(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** Answers as the service does. */
export function answer(
  response: ServerResponse,
  status: number,
  value: Record<string, unknown>,
  headers: Record<string, string> = {},
): void {
  const type = status === 200 ? 'application/json' : 'application/problem+json';
  response.writeHead(status, { 'content-type': type, ...headers }).end(JSON.stringify(value));
}

export function accept(response: ServerResponse, accepted: number, duplicates = 0): void {
  answer(response, 200, { accepted, duplicates, fingerprint: fingerprint('x'), slot: 'current', previous_key_valid_until: null });
}
