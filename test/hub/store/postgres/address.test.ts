import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressOf } from '../../../../src/hub/store/postgres/address.ts';
import { passwordIn } from '../../../../src/hub/store/postgres/passfile.ts';
import { tempFolder } from '../../helpers.ts';

let folder = tempFolder();
let passfile: string;
beforeEach(() => {
  folder = tempFolder();
  passfile = join(folder.path, 'pgpass');
  writeFileSync(passfile, '# none\n', { mode: 0o600 });
});
afterEach(() => folder.remove());

/** An address without anything of this machine's. */
const of = (url: string, env: NodeJS.ProcessEnv = {}) => addressOf(url, { PGPASSFILE: passfile, ...env });

describe('the address of a database', () => {
  it('has a user, hosts, a database and parameters; the name for people has no user and no password', () => {
    const address = of(
      'postgresql://ann:pa%40ss%3A%2F@db-1,db-2:6432,[::1]:5433/hub?sslmode=require&schema=other&connections=20&timeout=5',
    );
    expect(address).toEqual({
      hosts: [
        { host: 'db-1', port: 5432 },
        { host: 'db-2', port: 6432 },
        { host: '::1', port: 5433 },
      ],
      database: 'hub',
      user: 'ann',
      password: 'pa@ss:/',
      schema: 'other',
      connections: 20,
      workMs: 5_000,
      tls: { rejectUnauthorized: false },
      name: 'db-1:5432,db-2:6432,[::1]:5433/hub',
    });
  });

  it('takes from the environment what it leaves out, as libpq does', () => {
    const env = { PGHOST: 'h', PGPORT: '7', PGUSER: 'u', PGPASSWORD: 'p', PGDATABASE: 'd', PGSSLMODE: 'disable' };
    expect(of('postgres://', env)).toMatchObject({ hosts: [{ host: 'h', port: 7 }], user: 'u', password: 'p', database: 'd', tls: false });
    expect(of('postgres://x@y/z', env)).toMatchObject({ hosts: [{ host: 'y', port: 7 }], user: 'x', password: 'p', database: 'z' });
    expect(of('postgres://x@/?host=/run/postgresql')).toMatchObject({
      hosts: [{ host: '/run/postgresql', port: 5432 }],
      database: 'x',
      tls: false,
    });
    expect(of('postgres://x@%2Frun%2Fpostgresql/d').hosts).toEqual([{ host: '/run/postgresql', port: 5432 }]);
  });

  it('wants a proven server beyond loopback, unless it says otherwise', () => {
    expect(of('postgres://u@127.0.0.1/d').tls).toBe('prefer');
    expect(of('postgres://u@db/d').tls).toEqual({});
    expect(of('postgres://u@db/d?sslmode=disable').tls).toBe(false);
    const ca = join(folder.path, 'ca.pem');
    writeFileSync(ca, 'PEM');
    expect(of(`postgres://u@db/d?sslrootcert=${ca}`).tls).toEqual({ ca: 'PEM' });
    expect(of('postgres://u@db/d?sslmode=require', { PGSSLROOTCERT: ca }).tls).toEqual({
      ca: 'PEM',
      checkServerIdentity: expect.any(Function),
    });
  });

  it('that is none is refused without repeating what could be a password', () => {
    const wrong = ['mysql://u:s3cr3t@h/d', 'postgres://u:s3cr3t@h:x/d', 'postgres://u:%s3cr3t@h/d', 'postgres://u:a/s3cr3t@h/d'];
    const parameters = ['foo=s3cr3t', 'sslmode=s3cr3t', 'schema=S3cr3t', 'schema=pg_x', 'connections=1', 'timeout=x', 'sslrootcert=/none'];
    for (const url of [...wrong, ...parameters.map((one) => `postgres://u@h/d?${one}`)]) {
      const thrown = () => of(url);
      expect(thrown, url).toThrow(expect.objectContaining({ code: 'HUB_DATABASE_ADDRESS' }));
      expect(thrown, url).not.toThrow(/s3cr3t/i);
    }
  });

  it('is read as it is written, whatever stands in user, password and database', () => {
    const text = fc.string({ unit: fc.constantFrom(...'aZ0%@:/?#&=+ ,[]\\é€😀'), minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(text, text, text, (user, password, database) => {
        const [u, p, d] = [user, password, database].map(encodeURIComponent);
        expect(of(`postgres://${u}:${p}@h/${d}?sslmode=disable`)).toMatchObject({ user, password, database });
      }),
    );
  });
});

describe('the password file', () => {
  const wanted = { host: 'h', port: 5432, database: 'd', user: 'u' };

  it('is asked where the address has no password', () => {
    writeFileSync(passfile, 'h:5432:d:u:from file\n');
    expect(of('postgres://u@h/d').password).toBe('from file');
    expect(of('postgres://u:mine@h/d').password).toBe('mine');
    expect(of('postgres://u@h/other').password).toBe('');
  });

  it('is refused when others may read it, or when it was named and is not there', () => {
    chmodSync(passfile, 0o640);
    expect(() => of('postgres://u@h/d')).toThrow(expect.objectContaining({ code: 'CONFIG_PERMISSIONS' }));
    expect(() => of('postgres://u@h/d', { PGPASSFILE: join(folder.path, 'none') })).toThrow(
      expect.objectContaining({ code: 'FILE_UNREADABLE' }),
    );
  });

  it('has stars, escapes and comments, and its first line that fits counts', () => {
    expect(passwordIn('#h:5432:d:u:comment\nh:1:d:u:port\r\n*:*:*:u:first\nh:5432:d:u:second', wanted)).toBe('first');
    expect(passwordIn('h:5432:d:u:a\\:b\\\\c:d', wanted)).toBe('a:b\\c:d');
    expect(passwordIn('localhost:5432:d:u:socket', { ...wanted, host: '/run/x' })).toBe('socket');
    expect(passwordIn('a\\:b:5432:d:u:x', { ...wanted, host: 'a:b' })).toBe('x');
    expect(passwordIn('h:5432:d\nrubbish', wanted)).toBeUndefined();
  });
});
