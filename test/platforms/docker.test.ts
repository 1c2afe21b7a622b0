import { X509Certificate } from 'node:crypto';
import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../../packaging/root.ts';
import { freePort } from '../helpers/programs.ts';
import { until } from '../systemd/machine.ts';
import { runArguments, type Service, services } from './compose.ts';
import { obstacle, Podman } from './podman.ts';

/* The Dockerfile built as it stands, and its images run by an OCI engine with what the Compose file says. */

const against = obstacle();
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

describe.skipIf(against)(`the images${against ? ` (${against})` : ''}`, () => {
  const podman = new Podman();
  let compose: Record<string, Service> = {};
  const secrets = { scout_api_key: join(podman.folder, 'api-key'), scout_ca: join(podman.folder, 'ca.pem') };
  let port = 0;
  const service = (name: string) => compose[name] as Service;
  const agent = (...command: string[]) => podman.run('exec', 'agent', 'scout-agent', ...command);
  const status = () => JSON.parse(agent('status', '--json'));
  const hub = (...command: string[]) => podman.run('exec', 'hub', 'scout-hub', ...command);
  const shown = () => JSON.parse(hub('server', 'show', 'web-1', '--json'));
  const accepted = () => shown().instances.reduce((sum: number, one: { accepted: number }) => sum + one.accepted, 0);

  beforeAll(async () => {
    compose = services();
    podman.makeBases();
    for (const target of ['agent', 'hub']) podman.build(target);
    port = await freePort();
  }, 240_000);
  afterAll(() => podman.close(), 60_000);

  it('run as a number, below an init, with a health check, and hold no key', () => {
    for (const name of ['agent', 'hub']) {
      const [image] = JSON.parse(podman.run('image', 'inspect', `localhost/scout-${name}`));
      expect(image.Config).toMatchObject({
        User: '65532:65532',
        Entrypoint: ['/usr/bin/tini', '--', `/usr/bin/scout-${name}`],
        Volumes: { [`/var/lib/scout-${name}`]: {} },
      });
      expect(image.Healthcheck.Test[0]).toBe('CMD');
      expect(image.Config.Labels).toMatchObject({
        'org.opencontainers.image.title': `scout-${name}`,
        'org.opencontainers.image.version': version,
        'org.opencontainers.image.licenses': 'Apache-2.0',
      });
      expect(JSON.stringify(image.Config.Env)).not.toMatch(/KEY|TOKEN|SECRET/);
      const listed = podman.try(
        'run',
        '--rm',
        '--entrypoint=find',
        ...quiet,
        `localhost/scout-${name}`,
        '/src',
        '/usr/lib',
        '-name',
        'scout-*',
      ).stdout;
      expect(listed).toContain(`/usr/lib/scout-${name}\n`);
      expect(listed).not.toContain('/src');
    }
  });

  it('are described by a Compose file that gives away nothing', () => {
    for (const [name, one] of Object.entries(compose)) {
      expect(one.image).toBe(`scout-${name}:${version}`);
      expect(one).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'], pids_limit: 64 });
      expect(one.mem_limit).toMatch(/^\d+[mg]$/);
      expect(Object.keys(one.environment ?? {})).not.toContain('SCOUT_API_KEY');
    }
  });

  it('the hub answers, its health check finds it well, and it registers a server', async () => {
    const listen = (service('hub').command ?? []).map((word) => (word === '0.0.0.0:8443' ? `127.0.0.1:${port}` : word));
    podman.run('run', '-d', '--name=hub', ...runArguments(service('hub')), 'localhost/scout-hub', ...listen);
    await until('the hub', () => podman.try('logs', 'hub').stderr.includes('ready'));
    // By this name the Compose file's agent reaches it.
    const leaf = new X509Certificate(podman.run('exec', 'hub', 'cat', '/var/lib/scout-hub/server.pem'));
    expect(leaf.checkHost(new URL(compose.agent?.environment?.SCOUT_API_ENDPOINT as string).hostname)).toBeDefined();
    const check = ['exec', 'hub', '/usr/lib/scout-hub/node', '/usr/lib/scout-hub/healthcheck.js'];
    expect(podman.try(...check, String(port)).status).toBe(0);
    expect(podman.try(...check, '1').status).toBe(1);
    const added = JSON.parse(hub('server', 'add', 'web-1', '--json'));
    // Mode and owner as docs/docker.md says: the container's user reads it, no other.
    writeFileSync(secrets.scout_api_key, added.key, { mode: 0o400 });
    chownSync(secrets.scout_api_key, 65_532, 65_532);
    writeFileSync(secrets.scout_ca, podman.run('exec', 'hub', 'cat', '/var/lib/scout-hub/ca.pem'), { mode: 0o644 });
  });

  it('the agent delivers from a read-only root file system, without any capability', async () => {
    const place = ['-e', `SCOUT_API_ENDPOINT=https://127.0.0.1:${port}`, '-e', 'SCOUT_INTERVAL=200ms'];
    podman.run('run', '-d', '--name=agent', ...runArguments(service('agent'), secrets), ...place, 'localhost/scout-agent');
    await until('heartbeats', () => accepted() >= 3);
    expect(podman.try('healthcheck', 'run', 'agent').status).toBe(0);
    expect(podman.try('exec', 'agent', 'touch', '/etc/x').stderr).toContain('Read-only file system');
    const kernel = podman.run('exec', 'agent', 'cat', '/proc/1/status');
    expect(kernel).toMatch(/^Uid:\s+65532/m);
    for (const set of ['CapEff', 'CapPrm', 'CapBnd']) expect(kernel).toMatch(new RegExp(`^${set}:\\s+0+$`, 'm'));
    expect(kernel).toMatch(/^NoNewPrivs:\s+1$/m);
    // A filter of system calls: the engine's own.
    expect(kernel).toMatch(/^Seccomp:\s+2$/m);
    expect(podman.run('exec', 'agent', 'stat', '-c', '%a %u', '/var/lib/scout-agent')).toBe('700 65532\n');
  });

  it('and what it measures is the host, not the container', () => {
    const collectors = status().collectors as { name: string; state: string }[];
    expect(collectors.filter(({ state }) => state !== 'ok' && state !== 'unsupported')).toEqual([]);
    const heartbeat = JSON.parse(agent('sample', '--json'));
    const points = (name: string) => heartbeat.metrics.find((one: { name: string }) => one.name === name).points;
    expect(heartbeat.host.name).toBe(readFileSync('/etc/hostname', 'utf8').trim() || os.hostname());
    const places = points('system.filesystem.usage').map(([, mountPoint]: string[]) => mountPoint);
    expect(places).toContain('/');
    expect(places).not.toContain('/host/root');
    // Beyond tini, the agent and this command there is nothing in the container.
    const processes = points('system.process.count').reduce((sum: number, point: unknown[]) => sum + Number(point.at(-1)), 0);
    expect(processes).toBeGreaterThan(5);
  });

  it('doctor speaks of the container, and names no tool that is not in it', () => {
    const { checks } = JSON.parse(podman.try('exec', 'agent', 'scout-agent', 'doctor', '--json').stdout);
    expect(checks.find(({ name }: { name: string }) => name === 'started by')).toMatchObject({ status: 'ok' });
    expect(JSON.stringify(checks)).not.toMatch(/systemctl|--daemon|systemd-machine-id-setup/);
  });

  it('a key that is written into the secret file is taken up, with the same process', async () => {
    const [before, { pid }] = [status().key.fingerprint, status()];
    const rotated = JSON.parse(hub('key', 'rotate', 'web-1', '--json'));
    writeFileSync(secrets.scout_api_key, rotated.key);
    await until('the new key in use', () => status().key.fingerprint === rotated.fingerprint);
    const count = accepted();
    await until('heartbeats with the new key', () => accepted() >= count + 2);
    expect(status()).toMatchObject({ pid, state: 'running' });
    expect(rotated.fingerprint).not.toBe(before);
    expect(shown().refused['401'] ?? 0).toBe(0);
  });

  it('enrolled into its volume, it makes its own key there, and replaces it under way', async () => {
    const [token] = hub('token', 'create', '--server', 'web-2').split('\n');
    const { environment: _, secrets: __, ...plain } = service('agent');
    // The volume of the first agent is its own.
    const volumes = plain.volumes.map((one) => (typeof one === 'string' ? one.replace('agent-state', 'enrolled') : one));
    const options = ['-e', 'SCOUT_CONFIG=/var/lib/scout-agent/config.yml', ...runArguments({ ...plain, volumes })];
    const enroll = ['run', '--rm', '-i', ...options, 'localhost/scout-agent', 'enroll', `https://127.0.0.1:${port}`];
    expect(podman.feed(token as string, ...enroll)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/as web-2(.|\n)*Next: start the container/),
    });
    podman.run('run', '-d', '--name=enrolled', ...options, 'localhost/scout-agent');
    const own = (...command: string[]) => podman.run('exec', 'enrolled', 'scout-agent', ...command);
    await until('its first heartbeat', () => JSON.parse(own('status', '--json')).last_accepted);
    const before = JSON.parse(own('status', '--json')).key.fingerprint;
    expect(own('rotate')).toContain('ADOPTED');
    expect(JSON.parse(own('status', '--json')).key.fingerprint).not.toBe(before);
    podman.run('rm', '--force', '--time=10', 'enrolled');
  });

  it('stopped and started again, it goes on where it was', async () => {
    const { instance } = status();
    podman.run('stop', '--time=20', 'agent');
    expect(podman.run('inspect', '--format={{.State.ExitCode}}', 'agent').trim()).toBe('0');
    podman.run('start', 'agent');
    const count = accepted();
    await until('heartbeats after the start', () => accepted() >= count + 2);
    expect(status().instance).toBe(instance);
    expect(shown().instances).toMatchObject([{ id: instance, gaps: [], duplicates: 0 }]);
  });
});

/** For a command that only looks. */
const quiet = ['--network=none', '--ulimit=nofile=1024:1024', '--ulimit=nproc=4096:4096'];
