import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { sealingMachine } from '../../secrets/machine.ts';
import { detailOf, ScoutError } from '../../support/errors.ts';
import type { Surroundings } from '../../support/surroundings.ts';
import { VERSION } from '../../support/version.ts';
import { type Finding, findings, ofProblem } from './finding.ts';

const { ok, warning, failed, unsupported } = findings('dependencies');

/** What the agent needs of Node and of the system, each tried. */
export async function checkDependencies(around: Surroundings, env: NodeJS.ProcessEnv = process.env): Promise<Finding[]> {
  return [
    ok('scout-agent', `version ${VERSION}`),
    ok('node', `${process.version}, OpenSSL ${process.versions.openssl}, ${process.platform} ${process.arch}`),
    await tried('sqlite', async () => {
      const { DatabaseSync } = await import('node:sqlite');
      const db = new DatabaseSync(':memory:');
      const row = db.prepare('SELECT sqlite_version() AS version').get() as { version: string };
      db.close();
      return `SQLite ${row.version}`;
    }),
    await tried('zstd', async () => {
      const { zstdCompressSync, zstdDecompressSync } = await import('node:zlib');
      return zstdDecompressSync(zstdCompressSync(Buffer.from('heartbeat'))).toString() === 'heartbeat'
        ? `zstd ${process.versions.zstd}`
        : 'unusable';
    }),
    await tried('certificates', async () => {
      const { rootCertificates } = await import('node:tls');
      return `${rootCertificates.length} authorities of Node's own`;
    }),
    machineId(around),
    ...manager(around, env),
    ...options(env),
  ];
}

async function tried(name: string, work: () => Promise<string>): Promise<Finding> {
  try {
    return ok(name, await work());
  } catch (error) {
    return failed(name, detailOf(error), 'This Node lacks it: install the one that the package brings (Node 26).');
  }
}

/** Sealed values and the id of the host hang on it; all else goes without. */
function machineId(around: Surroundings): Finding {
  try {
    sealingMachine();
    return ok('machine id', 'present');
  } catch (error) {
    if (!(error instanceof ScoutError)) throw error;
    const { remedy } = error.problem;
    return { ...ofProblem('dependencies', 'machine id', error.problem), status: 'warning', remedy: MACHINE_ID[around] ?? remedy };
  }
}

const MACHINE_ID: Partial<Record<Surroundings, string>> = {
  container: 'Only sealed values need one: mount that of the host (-v /etc/machine-id:/etc/machine-id:ro), or keep the key in a file.',
  windows:
    'Only sealed values need one: MachineGuid below HKLM\\SOFTWARE\\Microsoft\\Cryptography, which this account must be able to read.',
};

function manager(around: Surroundings, env: NodeJS.ProcessEnv): Finding[] {
  if (process.platform !== 'linux') return [];
  if (around === 'container') return [ok('started by', 'a container of its own: it starts and ends with the agent')];
  if (around === 'plain') return [unsupported('systemd', 'this system was not started by systemd', 'Start it with scout-agent --daemon.')];
  const found = inPath('systemd-notify', env);
  if (!found)
    return [
      warning(
        'systemd-notify',
        'not in the PATH: the unit could not tell that it is ready',
        'Install the package systemd, or use Type=simple without WatchdogSec=.',
      ),
    ];
  return [ok('systemd', `${readFileSync('/proc/1/comm', 'latin1').trim()} is process 1; ${found}`)];
}

/** Meant for another Node, perhaps, and taken by ours. */
function options(env: NodeJS.ProcessEnv): Finding[] {
  const set = ['NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS', 'NODE_TLS_REJECT_UNAUTHORIZED'].filter((name) => env[name]);
  return set.map((name) =>
    name === 'NODE_TLS_REJECT_UNAUTHORIZED'
      ? warning(name, 'set in this environment, and not obeyed', 'Name the authority of the service in tls.ca_file.')
      : warning(name, 'set in this environment', 'Unset it where it was meant for another program.'),
  );
}

function inPath(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const folders = [...(env.PATH ?? '').split(delimiter), '/usr/bin', '/bin'];
  return folders
    .filter(Boolean)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}
