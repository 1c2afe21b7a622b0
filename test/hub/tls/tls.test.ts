import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadPair, tlsChoice } from '../../../src/hub/tls/tls.ts';
import { tempFolder } from '../helpers.ts';

const DAY = 86_400_000;
const OWN = { kind: 'self-signed' } as const;
let folder: ReturnType<typeof tempFolder>;
beforeEach(() => {
  folder = tempFolder();
});
afterEach(() => folder.remove());
const read = (name: string) => readFileSync(join(folder.path, name), 'utf8');
const certificate = (name: string) => new X509Certificate(read(name));

describe('tlsChoice', () => {
  it('wants one of the two ways', () => {
    expect(tlsChoice({ tlsSelfSigned: true })).toEqual(OWN);
    expect(tlsChoice({ tlsCert: 'a', tlsKey: 'b' })).toEqual({ kind: 'files', cert: 'a', key: 'b' });
    for (const options of [{}, { tlsCert: 'a' }, { tlsKey: 'a' }, { tlsSelfSigned: true, tlsCert: 'a', tlsKey: 'b' }])
      expect(() => tlsChoice(options)).toThrow(expect.objectContaining({ code: 'HUB_TLS_CHOICE' }));
  });
});

describe('--tls-name', () => {
  it('takes names and addresses, several at once, for a certificate of our own alone', () => {
    expect(tlsChoice({ tlsSelfSigned: true, tlsName: ['Hub.example,192.0.2.1', '2001:db8::1'] })).toEqual({
      kind: 'self-signed',
      names: ['hub.example', '192.0.2.1', '2001:db8::1'],
    });
    for (const name of ['', 'hub example', 'https://hub.example', '*.example', 'hub.example:8443', 'hub.example.', '192.0.2', 'a,,b'])
      expect(() => tlsChoice({ tlsSelfSigned: true, tlsName: [name] }), name).toThrow(expect.objectContaining({ code: 'USAGE' }));
    const files = { tlsCert: 'a', tlsKey: 'b', tlsName: ['hub.example'] };
    expect(() => tlsChoice(files)).toThrow(/--tls-self-signed/);
  });
});

describe('a certificate of our own authority', () => {
  it('is for every name that was given, and made anew when one is added', () => {
    const now = Date.now();
    const first = loadPair(OWN, folder.path, '0.0.0.0', now);
    const more = { ...OWN, names: ['hub.example', 'scout-hub.scout.svc.cluster.local', '192.0.2.1', '2001:db8::1'] };
    const named = loadPair(more, folder.path, '0.0.0.0', now);
    expect(named.cert).not.toBe(first.cert);
    const leaf = new X509Certificate(named.cert);
    for (const name of ['localhost', hostname(), 'hub.example', 'scout-hub.scout.svc.cluster.local'])
      expect(leaf.checkHost(name)).toBeDefined();
    for (const address of ['127.0.0.1', '192.0.2.1', '2001:db8::1']) expect(leaf.checkIP(address)).toBeDefined();
    expect(loadPair(more, folder.path, '0.0.0.0', now)).toEqual(named);
    // One less is no reason for another.
    expect(loadPair(OWN, folder.path, '0.0.0.0', now)).toEqual(named);
  });

  it('names this host and the address listened on, and is signed by the authority', () => {
    const now = Date.now();
    const pair = loadPair(OWN, folder.path, '2001:db8::5', now);
    const leaf = new X509Certificate(pair.cert);
    const ca = certificate('ca.pem');
    expect(leaf.verify(ca.publicKey) && leaf.checkIssued(ca) && ca.verify(ca.publicKey)).toBe(true);
    expect([leaf.ca, ca.ca]).toEqual([false, true]);
    expect(leaf.checkPrivateKey(createPrivateKey(pair.key))).toBe(true);
    for (const address of ['127.0.0.1', '::1', '2001:db8::5']) expect(leaf.checkIP(address)).toBeDefined();
    for (const name of ['localhost', hostname()]) expect(leaf.checkHost(name)).toBeDefined();
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(leaf.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(leaf.validFromDate.getTime()).toBeLessThan(now);
    expect(leaf.validToDate.getTime() - leaf.validFromDate.getTime()).toBeLessThan(398 * DAY);
    expect(ca.validToDate.getTime()).toBeGreaterThan(now + 3_600 * DAY);
    for (const name of ['ca-key.pem', 'server-key.pem']) expect(statSync(join(folder.path, name)).mode & 0o777).toBe(0o600);
  });

  it('is kept while it is good, and made anew when it runs out or lacks a name; the authority stays', () => {
    const now = Date.now();
    const first = loadPair(OWN, folder.path, '127.0.0.1', now);
    const ca = read('ca.pem');
    expect(loadPair(OWN, folder.path, 'localhost', now + 366 * DAY)).toEqual(first);
    const renewed = loadPair(OWN, folder.path, '127.0.0.1', now + 368 * DAY);
    expect(renewed.cert).not.toBe(first.cert);
    const named = loadPair(OWN, folder.path, 'hub.example', now + 368 * DAY);
    expect(new X509Certificate(named.cert).checkHost('hub.example')).toBeDefined();
    expect(read('ca.pem')).toBe(ca);
    expect(new X509Certificate(named.cert).verify(certificate('ca.pem').publicKey)).toBe(true);
  });

  it('is made anew when it is damaged or its key is gone', () => {
    const now = Date.now();
    loadPair(OWN, folder.path, '127.0.0.1', now);
    rmSync(join(folder.path, 'server-key.pem'));
    loadPair(OWN, folder.path, '127.0.0.1', now);
    writeFileSync(join(folder.path, 'server.pem'), 'damaged');
    const pair = loadPair(OWN, folder.path, '127.0.0.1', now);
    expect(new X509Certificate(pair.cert).verify(certificate('ca.pem').publicKey)).toBe(true);
  });

  it('never replaces an authority that cannot be used', () => {
    loadPair(OWN, folder.path, '127.0.0.1', Date.now());
    const ca = read('ca.pem');
    rmSync(join(folder.path, 'ca-key.pem'));
    expect(() => loadPair(OWN, folder.path, '127.0.0.1', Date.now())).toThrow(expect.objectContaining({ code: 'HUB_TLS_FILE' }));
    expect(read('ca.pem')).toBe(ca);
  });

  it('is valid beyond 2049, where the encoding of times changes', () => {
    const later = Date.UTC(2049, 10, 1);
    const pair = loadPair(OWN, folder.path, '0.0.0.0', later);
    expect(new X509Certificate(pair.cert).validToDate.getUTCFullYear()).toBe(2050);
    expect(certificate('ca.pem').validToDate.getUTCFullYear()).toBe(2059);
  });
});

describe('certificates from files', () => {
  it('are served as they are, and a key of another is named as the fault', () => {
    const other = tempFolder();
    loadPair(OWN, folder.path, '127.0.0.1', Date.now());
    loadPair(OWN, other.path, '127.0.0.1', Date.now());
    const at = (place: string, name: string) => join(place, name);
    const good = { kind: 'files', cert: at(folder.path, 'server.pem'), key: at(folder.path, 'server-key.pem') } as const;
    expect(loadPair(good, folder.path, 'x', Date.now())).toEqual({ cert: read('server.pem'), key: read('server-key.pem') });
    const wrong = [
      { ...good, key: at(other.path, 'server-key.pem') },
      { ...good, cert: at(folder.path, 'none.pem') },
      { ...good, cert: good.key },
    ];
    for (const choice of wrong)
      expect(() => loadPair(choice, folder.path, 'x', Date.now())).toThrow(expect.objectContaining({ code: 'HUB_TLS_FILE' }));
    other.remove();
  });
});
