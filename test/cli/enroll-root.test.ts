import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AGENT, Bench } from '../helpers/programs.ts';

/* The real command in the real place, for an agent with a user of its own: a mount namespace has an /etc of its own. */

const GID = 54_321;
const namespaces = process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;
let bench: Bench;
let etc: string;
beforeEach(async () => {
  bench = new Bench();
  await bench.startHub();
  etc = join(bench.folder, 'etc');
  mkdirSync(etc);
  writeFileSync(join(etc, 'passwd'), `root:x:0:0::/root:/bin/sh\nscout-agent:x:${GID}:${GID}::/:/bin/false\n`);
  writeFileSync(join(etc, 'machine-id'), `${'0123456789abcdef'.repeat(2)}\n`);
});
afterEach(() => bench.close());

/** Runs a script with that /etc, `enroll` being the command with a new token on stdin; what each line of it printed. */
async function inside(script: string): Promise<string> {
  const made = JSON.parse(await bench.hubCommand(['token', 'create', '--server', 'web-1', '--json']));
  const agent = `'${process.execPath}' '${AGENT}'`;
  const lines = `set -e; agent() { ${agent} "$@"; }; mount --bind '${etc}' /etc; ${script}`;
  const { SCOUT_CONFIG: _, SCOUT_HOST_KEY_FILE: __, ...env } = process.env;
  const done = spawnSync('unshare', ['-m', 'sh', '-c', lines], { encoding: 'utf8', env, input: `${made.token}\n` });
  expect(done.status, done.stderr).toBe(0);
  return done.stdout;
}
const ENROLL = () => `agent enroll ${bench.endpoint} --json`;

it.skipIf(!namespaces)(
  'root enrols for the agent\u2019s user, who may read it and nobody else (skipped: no mount namespaces here)',
  async () => {
    const told = await inside(
      `${ENROLL()} >&2; stat -c '%a %u %g %n' /etc/scout-agent /etc/scout-agent/*; agent --check-config --online --json`,
    );
    const [folder, ca, config, ...rest] = told.split('\n');
    expect(folder).toBe(`750 0 ${GID} /etc/scout-agent`);
    expect(ca).toMatch(/^644 0 \d+ \/etc\/scout-agent\/ca-/);
    expect(config).toBe(`640 0 ${GID} /etc/scout-agent/config.yml`);
    expect(JSON.parse(rest.join('\n'))).toMatchObject({ ok: true, problems: [], online: { ok: true } });
  },
);

it.skipIf(!namespaces)('seals the key only where the unit hands the host key over (skipped: no mount namespaces here)', async () => {
  const sealing = `head -c 32 /dev/urandom > /etc/scout-agent/host.key; chmod 0400 /etc/scout-agent/host.key; ${ENROLL()}`;
  expect(JSON.parse(await inside(`mkdir /etc/scout-agent; ${sealing}`))).toMatchObject({ sealed: false });
  const unit = 'mkdir -p /etc/systemd/system/scout-agent.service.d; f=/etc/systemd/system/scout-agent.service.d/key.conf';
  const drop = "printf '[Service]\\nLoadCredential=host.key:/etc/scout-agent/host.key\\n' > $f";
  expect(JSON.parse(await inside(`rm -r /etc/scout-agent; mkdir /etc/scout-agent; ${unit}; ${drop}; ${sealing}`))).toMatchObject({
    sealed: true,
  });
});
