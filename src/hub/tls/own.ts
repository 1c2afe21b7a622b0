import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { makeAuthority, makeLeaf, type Pair } from './certificates.ts';

const RENEW_BEFORE_MS = 30 * 86_400_000;

/** Where the certificate authority that clients are to trust stands in a data folder. */
export const caFile = (folder: string): string => join(folder, 'ca.pem');

/** SHA-256 of the certificate (DER, hex) of a data folder's authority; null where there is none. */
export function authorityPrint(folder: string): string | null {
  if (!existsSync(caFile(folder))) return null;
  return createHash('sha256')
    .update(new X509Certificate(readFileSync(caFile(folder))).raw)
    .digest('hex');
}

/**
 * The certificate that the hub's own authority gives it: for this machine, the address listened on, and `more` names and
 * addresses by which agents reach it. Both are kept in the data folder; the server's is made anew
 * when fewer than 30 days remain or a name is missing, the authority is kept, for clients hold its certificate.
 */
export function ownPair(folder: string, listenHost: string, now: number, more: readonly string[] = []): Pair {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authorityFiles = { cert: caFile(folder), key: join(folder, 'ca-key.pem') };
  const serverFiles = { cert: join(folder, 'server.pem'), key: join(folder, 'server-key.pem') };
  const authority = authorityOf(authorityFiles, now);
  const names = [...new Set([...namesOf(listenHost), ...more])];
  const found = load(serverFiles);
  if (found && isGood(found, authority, names, now)) return found;
  const issuer = new X509Certificate(authority.cert).subject.replace(/^CN=/, '');
  return keep(serverFiles, makeLeaf(authority, issuer, names, now));
}

/** Never made anew over one that cannot be used: every client would have to be told. */
function authorityOf(files: Pair, now: number): Pair {
  if (!existsSync(files.cert)) return keep(files, makeAuthority(`scout-hub CA ${new Date(now).toISOString().slice(0, 10)}`, now));
  const found = load(files);
  if (!found) throw new Error(`${files.cert} has no private key that fits it in ${files.key}`);
  return found;
}

/** Whether a certificate can be for this: an address, or a name as DNS has them. */
export const isCertifiable = (name: string): boolean =>
  isIP(name) !== 0 || (name.length <= 253 && /^(?!-)[\w-]{1,63}(\.[\w-]{1,63})*$/.test(name) && !/^[\d.]+$/.test(name));

function namesOf(listenHost: string): string[] {
  const wildcard = listenHost === '' || listenHost === '0.0.0.0' || listenHost === '::';
  const names = ['localhost', '127.0.0.1', '::1', hostname(), ...(wildcard ? [] : [listenHost])];
  // A host name that DNS would not have cannot stand in a certificate.
  return names.filter((name) => /^[\w.:-]+$/.test(name));
}

function isGood(pair: Pair, authority: Pair, names: string[], now: number): boolean {
  const leaf = new X509Certificate(pair.cert);
  return (
    leaf.validToDate.getTime() - now > RENEW_BEFORE_MS &&
    leaf.validFromDate.getTime() <= now &&
    leaf.verify(new X509Certificate(authority.cert).publicKey) &&
    leaf.checkPrivateKey(createPrivateKey(pair.key)) &&
    names.every((name) => (isIP(name) ? leaf.checkIP(name) : leaf.checkHost(name)) !== undefined)
  );
}

/** Undefined when one of the two is missing, damaged or no match for the other. */
function load(files: Pair): Pair | undefined {
  try {
    const pair = { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') };
    return new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key)) ? pair : undefined;
  } catch {
    return undefined;
  }
}

/** The key first: a certificate whose key was lost in between would be trusted in vain. */
function keep(files: Pair, pair: Pair): Pair {
  replace(files.key, pair.key, 0o600);
  replace(files.cert, pair.cert, 0o644);
  return pair;
}

function replace(path: string, text: string, mode: number): void {
  const fresh = `${path}.${process.pid}.new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, text, { mode, flag: 'wx', flush: true });
  renameSync(fresh, path);
}
