import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { detailOf, ScoutError } from '../../support/errors.ts';
import type { Pair } from './certificates.ts';
import { isCertifiable, ownPair } from './own.ts';

/** Where the hub's certificate comes from. */
export type TlsChoice = { kind: 'files'; cert: string; key: string } | { kind: 'self-signed'; names?: readonly string[] };

/** Options of `serve` about its certificate. */
export interface TlsFlags {
  tlsCert?: string;
  tlsKey?: string;
  tlsSelfSigned?: boolean;
  /** Each may hold several, with commas between. */
  tlsName?: string[];
}

/** The choice that the options of `serve` make. Throws HUB_TLS_CHOICE when they make none, or two, and USAGE for a wrong name. */
export function tlsChoice(options: TlsFlags): TlsChoice {
  const { tlsCert: cert, tlsKey: key, tlsSelfSigned, tlsName } = options;
  const usage = (detail: string) => new ScoutError('USAGE', { detail, program: 'scout-hub' });
  if (tlsName && !tlsSelfSigned) throw usage('--tls-name is for the certificate of --tls-self-signed; yours has its names in it');
  const names = tlsName?.flatMap((text) => text.split(',')).map((text) => text.trim().toLowerCase());
  const wrong = names?.find((name) => !isCertifiable(name));
  if (wrong !== undefined) throw usage(`--tls-name takes names such as hub.example and addresses such as 192.0.2.1, and not '${wrong}'`);
  if (cert && key && !tlsSelfSigned) return { kind: 'files', cert, key };
  if (tlsSelfSigned && !cert && !key) return { kind: 'self-signed', ...(names && { names }) };
  throw new ScoutError('HUB_TLS_CHOICE');
}

/** Reads the certificate, or makes it; called again it picks up a renewed one. Throws HUB_TLS_FILE. */
export function loadPair(choice: TlsChoice, folder: string, listenHost: string, now: number): Pair {
  const path = choice.kind === 'files' ? `${choice.cert} and ${choice.key}` : folder;
  try {
    const pair =
      choice.kind === 'files'
        ? { cert: readFileSync(choice.cert, 'utf8'), key: readFileSync(choice.key, 'utf8') }
        : ownPair(folder, listenHost, now, choice.names);
    // Tells now, and by name, what a handshake would tell later to nobody.
    createSecureContext(pair);
    return pair;
  } catch (error) {
    throw new ScoutError('HUB_TLS_FILE', { path, detail: detailOf(error) }, {}, { cause: error });
  }
}
