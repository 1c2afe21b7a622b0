import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { ConnectionOptions } from 'node:tls';
import { detailOf, ScoutError } from '../../../support/errors.ts';
import { passwordFrom } from './passfile.ts';

/** Where a database is, and how to get in. */
export interface Address {
  /** Tried in turn; a host that is a folder holds the socket of a server on this machine. */
  hosts: { host: string; port: number }[];
  database: string;
  user: string;
  password: string;
  /** The schema that the hub's tables stand in. */
  schema: string;
  /** Most connections at once. */
  connections: number;
  /** How long one piece of work may take, ms; then the database counts as gone. */
  workMs: number;
  /** TLS: none, where the server has it, or with what the connection must show. */
  tls: false | 'prefer' | ConnectionOptions;
  /** For people: host, port and database, without user or password. */
  name: string;
}

const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'];
const PARAMETERS = ['host', 'port', 'user', 'dbname', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'schema', 'connections', 'timeout'];

/**
 * Reads `postgres://user@host:port,host:port/database?parameter=value` as libpq does (PostgreSQL manual, 34.1.1.2); what
 * it leaves out comes from PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD, PGSSLMODE, PGSSLROOTCERT, PGSSLCERT,
 * PGSSLKEY, and the password from PGPASSFILE or ~/.pgpass. Beyond loopback a certificate that proves the server is wanted
 * unless sslmode says otherwise. Throws HUB_DATABASE_ADDRESS, which repeats nothing that could be a password.
 */
export function addressOf(url: string, env: NodeJS.ProcessEnv = process.env): Address {
  const parts = /^postgres(?:ql)?:\/\/(?:([^/?]*)@)?([^/?@]*)(?:\/([^?]*))?(?:\?(.*))?$/i.exec(url);
  if (!parts) throw wrong('it is not of the form postgres://USER@HOST:PORT/DATABASE');
  const [, login = '', authority = '', path = '', query = ''] = parts;
  const given = parametersOf(query);
  const [name = '', ...secret] = login.split(':');
  const hosts = hostsOf(given.host ?? (authority || env.PGHOST || 'localhost'), given.port ?? env.PGPORT);
  const user = decoded(name) || given.user || env.PGUSER || osUser();
  const database = decoded(path) || given.dbname || env.PGDATABASE || user;
  const [first = { host: 'localhost', port: 5432 }] = hosts;
  return {
    hosts,
    database,
    user,
    password: decoded(secret.join(':')) || env.PGPASSWORD || passwordFrom(env, { ...first, database, user }) || '',
    schema: schemaOf(given.schema ?? 'scout_hub'),
    connections: numberOf('connections', given.connections ?? '10', 2, 100),
    workMs: numberOf('timeout', given.timeout ?? '12', 1, 600) * 1_000,
    tls: tlsOf(given, env, hosts),
    name: `${hosts.map(({ host, port }) => (host.startsWith('/') ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`)).join(',')}/${database}`,
  };
}

function parametersOf(query: string): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (!PARAMETERS.includes(name)) throw wrong(`the hub knows no parameter of this name; it knows ${PARAMETERS.join(', ')}`);
    given[name] = value;
  }
  return given;
}

function hostsOf(text: string, ports = '5432'): Address['hosts'] {
  const each = ports.split(',');
  return text.split(',').map((one, index) => {
    const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([^:]*))(?::(\d*))?$/i.exec(one) ?? [];
    const host = bracketed ?? decoded(plain ?? '');
    const number = Number(port || each[index] || each[0]);
    if (host === '' || !Number.isInteger(number) || number < 1 || number > 65_535) throw wrong('its host or port is none');
    return { host, port: number };
  });
}

function schemaOf(text: string): string {
  // Unquoted everywhere: what needs no quotes cannot be anything but a name.
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(text) || text.startsWith('pg_')) throw wrong('the schema must be of a-z, 0-9 and _');
  return text;
}

function numberOf(name: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < least || number > most) throw wrong(`${name} must be a number from ${least} to ${most}`);
  return number;
}

function tlsOf(given: Record<string, string>, env: NodeJS.ProcessEnv, hosts: Address['hosts']): Address['tls'] {
  const near = hosts.every(({ host }) => host.startsWith('/') || ['localhost', '127.0.0.1', '::1'].includes(host));
  const mode = given.sslmode ?? env.PGSSLMODE ?? (near ? 'prefer' : 'verify-full');
  if (!SSL_MODES.includes(mode)) throw wrong(`sslmode must be one of ${SSL_MODES.join(', ')}`);
  if (mode === 'disable' || hosts.every(({ host }) => host.startsWith('/'))) return false;
  if (mode === 'prefer') return 'prefer';
  const root = given.sslrootcert ?? env.PGSSLROOTCERT;
  const [cert, key] = [given.sslcert ?? env.PGSSLCERT, given.sslkey ?? env.PGSSLKEY];
  const files = {
    ...(root && root !== 'system' && { ca: read(root) }),
    ...(cert && { cert: read(cert) }),
    ...(key && { key: read(key) }),
  };
  // As libpq has it: with an authority at hand, `require` looks at the certificate as well.
  if (mode === 'require' && !files.ca) return { ...files, rejectUnauthorized: false };
  return mode === 'verify-full' ? files : { ...files, checkServerIdentity: () => undefined };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw wrong(`a certificate or key that it names cannot be read: ${detailOf(error)}`);
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong('a % in it begins no escape (a % in a password is written %25, an @ %40)');
  }
}

function osUser(): string {
  try {
    return userInfo().username;
  } catch {
    throw wrong('it names no user');
  }
}

const wrong = (detail: string) => new ScoutError('HUB_DATABASE_ADDRESS', { detail });
