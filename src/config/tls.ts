import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Place } from '../support/errors.ts';
import { type Problem, problem } from '../support/errors.ts';
import { hideKeys } from '../support/hide.ts';
import { readRegular } from '../support/regular-file.ts';
import { checkPermissions } from './permissions.ts';
import type { Parsed } from './validate.ts';

/** A bundle of authorities has some hundred kilobytes. */
const MOST_BYTES = 16_777_216;

/** The files of `tls`: there, PEM, and the certificate and key a pair. `place` tells where a setting was written. */
export function checkTls(tls: Parsed['tls'], place: (name: string) => Place): Problem[] {
  const problems: Problem[] = [];
  const fault = (name: string, file: string, detail: string) =>
    void problems.push(problem('TLS_FILE', { name, path: hideKeys(file), detail }, place(name)));
  const read = (name: string, file: string | undefined) => {
    if (file === undefined) return undefined;
    try {
      return readRegular(file, MOST_BYTES).toString('utf8');
    } catch (error) {
      fault(name, file, (error as Error).message);
      return undefined;
    }
  };
  const certificate = (name: string, file: string | undefined) => {
    const text = read(name, file);
    if (text === undefined || file === undefined) return undefined;
    try {
      return new X509Certificate(text);
    } catch {
      return fault(name, file, 'it holds no certificate in PEM') as undefined;
    }
  };

  certificate('tls.ca_file', tls.ca_file);
  const own = certificate('tls.cert_file', tls.cert_file);
  const pem = read('tls.key_file', tls.key_file);
  if (pem !== undefined && tls.key_file !== undefined) {
    problems.push(...checkPermissions(tls.key_file));
    try {
      const key = createPrivateKey({ key: pem, ...(tls.key_passphrase !== undefined && { passphrase: tls.key_passphrase }) });
      if (own && !own.checkPrivateKey(key)) fault('tls.key_file', tls.key_file, 'it does not belong to the certificate in tls.cert_file');
    } catch {
      const sealed = /ENCRYPTED/.test(pem);
      const detail = !sealed
        ? 'it holds no private key in PEM'
        : tls.key_passphrase === undefined
          ? 'it needs tls.key_passphrase'
          : 'tls.key_passphrase does not open it';
      fault('tls.key_file', tls.key_file, detail);
    }
  }
  const pairs: [string, unknown, string, unknown][] = [
    ['tls.key_file', tls.key_file, 'tls.cert_file', tls.cert_file],
    ['tls.cert_file', tls.cert_file, 'tls.key_file', tls.key_file],
  ];
  for (const [name, value, other, set] of pairs)
    if (value === undefined && set !== undefined)
      problems.push(problem('CONFIG_REQUIRED', { name, because: `${other} is`, how: ' as well' }, place(other)));
  return problems;
}
