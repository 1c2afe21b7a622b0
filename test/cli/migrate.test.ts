import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AGENT, Bench } from '../helpers/programs.ts';

/* The real command in the real places: a mount namespace has an /etc and an /opt of its own. */

const namespaces = process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;
let bench: Bench;
beforeEach(async () => {
  bench = new Bench();
  await bench.startHub();
});
afterEach(() => bench.close());

it.skipIf(!namespaces)(
  'a running agent goes on with a configuration that is moved under it (skipped: no mount namespaces here)',
  async () => {
    const { key, fingerprint } = await bench.addServer('web-1');
    const [etc, opt, state] = ['etc', 'opt', 'state'].map((name) => join(bench.folder, name)) as [string, string, string];
    for (const folder of [etc, join(opt, 'scout-agent')]) mkdirSync(folder, { recursive: true });
    const text = `# ours\nexport SCOUT_API_KEY=${key}\nSCOUT_URL=${bench.endpoint}\nSCOUT_TLS_CA_FILE=../../ca.pem\n`;
    writeFileSync(join(opt, 'scout-agent', 'agent.env'), text, { mode: 0o600 });
    const agent = `'${process.execPath}' '${AGENT}'`;
    const folders = `--state-dir '${state}' --runtime-dir '${join(state, 'run')}'`;
    const script = `set -e
    cp -a /etc/passwd /etc/group /etc/machine-id '${etc}/' 2>/dev/null || true
    cp '${join(bench.data, 'ca.pem')}' '${bench.folder}/ca-copy.pem'
    mount --bind '${etc}' /etc; mount --bind '${opt}' /opt
    mkdir -p /opt/x; sed -i 's#=../../ca.pem#=../x/ca.pem#' /opt/scout-agent/agent.env; cp '${bench.folder}/ca-copy.pem' /opt/x/ca.pem
    ${agent} --daemon ${folders} >&2
    ${agent} migrate --dry-run --json; echo ,
    test ! -e /etc/scout-agent
    ${agent} migrate --json; echo ,
    ${agent} heartbeat --json ${folders}; echo ,
    ${agent} rotate --json ${folders}; echo ,
    ${agent} --check-config --online --json; echo ,
    ${agent} migrate --json
    readlink /opt/scout-agent/agent.env >&2
    ${agent} stop ${folders} >&2`;
    const { SCOUT_CONFIG: _, ...env } = process.env;
    const done = spawnSync('unshare', ['-m', 'sh', '-c', script], {
      encoding: 'utf8',
      env: { ...env, SCOUT_HOST_KEY_FILE: join(bench.folder, 'none', 'host.key') },
    });
    expect(done.status, done.stderr).toBe(0);
    const [dry, moved, heartbeat, rotated, checked, again] = JSON.parse(`[${done.stdout}]`);
    const files = [
      { from: '/opt/scout-agent/agent.env', to: '/etc/scout-agent/agent.env', paths: [{ name: 'tls.ca_file', to: '/opt/x/ca.pem' }] },
    ];
    expect(dry).toMatchObject({ moved: false, dry_run: true, files });
    expect(moved).toMatchObject({ moved: true, dry_run: false, files });
    expect(heartbeat).toMatchObject({ outcome: { kind: 'accepted' }, fingerprint });
    expect(rotated).toMatchObject({ rotated: true });
    expect(checked).toMatchObject({ ok: true, file: '/etc/scout-agent/agent.env' });
    expect(again).toMatchObject({ moved: false, files: [] });
    expect(done.stderr).toContain('/etc/scout-agent/agent.env');
    expect(await bench.show('web-1')).toMatchObject({ instances: [{ gaps: [] }], refused: {} });
  },
);
