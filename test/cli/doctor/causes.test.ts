import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cause, Finding } from '../../../src/cli/doctor/finding.ts';
import { makeAuthority, makeLeaf } from '../../../src/hub/tls/certificates.ts';
import { statusBecomes } from '../../helpers/agent-life.ts';
import { AGENT, Bench, Running, run } from '../../helpers/programs.ts';

/* Why an agent does not authenticate: each cause as it comes about in life, told apart by the real command. */

interface Seen {
  status: number;
  ok: boolean;
  checks: Finding[];
  causes: (Cause | undefined)[];
}

const bench = new Bench();
const CLEAN = { PATH: process.env.PATH, HOME: bench.folder, TMPDIR: process.env.TMPDIR };

async function doctor(config: string, env: NodeJS.ProcessEnv = CLEAN): Promise<Seen> {
  const { status, stdout } = await run(AGENT, ['doctor', '--json', '--config', config], { env });
  const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: Finding[] };
  return { status, ok, checks, causes: checks.flatMap(({ cause }) => (cause ? [cause] : [])) };
}
const named = ({ checks }: Seen, group: string, name: string) => checks.find((one) => one.group === group && one.name === name);

let key = '';
beforeAll(async () => {
  await bench.startHub();
  ({ key } = await bench.addServer('one'));
});
afterAll(() => bench.close());

const configure = (name: string, value = key, more = 'host_name: one\n') => bench.configure(name, value, more);
const edit = (config: string, from: string, to: string) => {
  writeFileSync(config, readFileSync(config, 'utf8').replace(from, to));
  return config;
};

describe('doctor tells apart', () => {
  it('extra white space', async () => {
    const seen = await doctor(configure('white', `"${key.slice(0, 20)} ${key.slice(20)}"`));
    expect(seen).toMatchObject({ status: 78, ok: false, causes: ['extra-white-space'] });
    expect(JSON.stringify(seen)).not.toContain(key.slice(20, 40));
  });

  it('a truncated key', async () => {
    const seen = await doctor(configure('cut', key.slice(0, 50)));
    expect(seen).toMatchObject({ status: 78, causes: ['truncated-key'] });
  });

  it('a value encrypted on another host', async () => {
    const [here, there] = ['here', 'there'].map((name) => ({ ...CLEAN, SCOUT_HOST_KEY_FILE: join(bench.folder, `${name}.key`) }));
    const seal = (env: NodeJS.ProcessEnv | undefined) => run(AGENT, ['encrypt-value'], { input: key, ...(env && { env }) });
    const token = (await seal(there)).stdout.trim();
    await seal(here);
    const config = configure('sealed', token);
    expect(await doctor(config, here)).toMatchObject({ status: 78, causes: ['value-encrypted-on-another-host'] });
    const fresh = { ...CLEAN, SCOUT_HOST_KEY_FILE: join(bench.folder, 'none.key') };
    expect(await doctor(config, fresh)).toMatchObject({ status: 78, causes: ['value-encrypted-on-another-host'] });
  });

  it('a wrong service URL: no such name', async () => {
    const seen = await doctor(edit(configure('name'), bench.endpoint, 'https://nowhere.invalid'));
    expect(seen).toMatchObject({ status: 69, causes: ['wrong-service-url'] });
    expect(named(seen, 'service', 'dns')).toMatchObject({ status: 'failed' });
  });

  it('a wrong service URL: a web server, whose page says 401', async () => {
    const authority = makeAuthority('web', Date.now() - 86_400_000);
    const leaf = makeLeaf(authority, 'web', ['127.0.0.1'], Date.now());
    const server = createServer({ cert: leaf.cert, key: leaf.key }, (_, response) =>
      response.writeHead(401, { 'content-type': 'text/html' }).end('<h1>Sign in</h1>'),
    );
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', () => listening()));
    const { port } = server.address() as AddressInfo;
    const ca = join(bench.folder, 'web.pem');
    writeFileSync(ca, authority.cert);
    const config = bench.configure('web', key, '', { endpoint: `https://127.0.0.1:${port}`, ca });
    const seen = await doctor(config);
    server.close();
    expect(seen.causes).toEqual(['wrong-service-url']);
    expect(named(seen, 'service', 'service')).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('text/html page came with 401'),
    });
  });

  it('a key of another organisation', async () => {
    const seen = await doctor(configure('foreign', randomBytes(32).toString('hex')));
    expect(seen).toMatchObject({ status: 77, causes: ['wrong-organisation'] });
  });

  it('a revoked key, by what the service says', async () => {
    const added = JSON.parse(await bench.hubCommand(['server', 'add', 'revoked', '--policy', 'multi', '--json']));
    const config = configure('revoked', added.key, 'host_name: revoked\n');
    expect((await doctor(config)).causes).toEqual([]);
    await bench.hubCommand(['key', 'disable', 'revoked', added.fingerprint, '--force']);
    const seen = await doctor(config);
    expect(seen).toMatchObject({ status: 77, causes: ['revoked-key'] });
    expect(named(seen, 'service', 'key')?.detail).toContain('was last changed on');
  });

  it('a revoked key, by what this host remembers', async () => {
    const added = JSON.parse(await bench.hubCommand(['server', 'add', 'forgotten', '--policy', 'immediate', '--json']));
    const config = configure('forgotten', added.key, 'host_name: forgotten\n');
    const rotated = await run(AGENT, ['rotate', '--config', config]);
    expect(rotated.status, rotated.stderr).toBe(0);
    await bench.hubCommand(['server', 'remove', 'forgotten', '--force']).catch(() => bench.hubCommand(['server', 'remove', 'forgotten']));
    expect(await doctor(config)).toMatchObject({ status: 77, causes: ['revoked-key'] });
  });

  it('a file that was saved on another host: the key is that of another', async () => {
    const seen = await doctor(configure('copied', key, 'host_name: two\n'));
    expect(seen.causes).toEqual(['file-saved-on-another-host']);
    expect(named(seen, 'service', 'host')).toMatchObject({ status: 'warning', remedy: expect.stringContaining('set host_name to one') });
    expect(named(await doctor(configure('own')), 'service', 'host')).toMatchObject({ status: 'ok' });
    expect(hostname()).not.toBe('one');
  });

  it('an agent that was not restarted since the change', async () => {
    const other = await bench.addServer('started');
    const config = configure('started', key, 'host_name: started\n');
    // As systemd does with EnvironmentFile=: what it read at the start goes before the file.
    const agent = new Running(AGENT, ['run', '--config', config], { ...CLEAN, SCOUT_API_KEY: other.key });
    try {
      await statusBecomes(config, ({ last_accepted }) => last_accepted !== null);
      const seen = await doctor(config);
      expect(seen).toMatchObject({ status: 77, causes: expect.arrayContaining(['agent-not-restarted']) });
      expect(named(seen, 'agent', 'key in use')).toMatchObject({
        detail: expect.stringContaining(`uses ${other.fingerprint}, which stands in its environment as SCOUT_API_KEY`),
        remedy: expect.stringContaining('scout-agent stop, then scout-agent --daemon'),
      });
    } finally {
      await agent.end();
    }
  });
});
