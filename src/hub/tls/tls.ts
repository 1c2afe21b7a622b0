import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { detailOf, ScoutError } from '../../support/errors.ts';
import type { Pair } from './certificates.ts';
import { ownPair } from './own.ts';

/** Where the hub's certificate comes from. */
export type TlsChoice = { kind: 'files'; cert: string; key: string } | { kind: 'self-signed' };

/** The choice that the options of `serve` make. Throws HUB_TLS_CHOICE when they make none, or two. */
export function tlsChoice(options: { tlsCert?: string; tlsKey?: string; tlsSelfSigned?: boolean }): TlsChoice {
  const { tlsCert: cert, tlsKey: key, tlsSelfSigned } = options;
  if (cert && key && !tlsSelfSigned) return { kind: 'files', cert, key };
  if (tlsSelfSigned && !cert && !key) return { kind: 'self-signed' };
  throw new ScoutError('HUB_TLS_CHOICE');
}

/** Reads the certificate, or makes it; called again it picks up a renewed one. Throws HUB_TLS_FILE. */
export function loadPair(choice: TlsChoice, folder: string, listenHost: string, now: number): Pair {
  const path = choice.kind === 'files' ? `${choice.cert} and ${choice.key}` : folder;
  try {
    const pair =
      choice.kind === 'files'
        ? { cert: readFileSync(choice.cert, 'utf8'), key: readFileSync(choice.key, 'utf8') }
        : ownPair(folder, listenHost, now);
    // Tells now, and by name, what a handshake would tell later to nobody.
    createSecureContext(pair);
    return pair;
  } catch (error) {
    throw new ScoutError('HUB_TLS_FILE', { path, detail: detailOf(error) }, {}, { cause: error });
  }
}
