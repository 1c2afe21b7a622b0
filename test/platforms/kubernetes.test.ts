import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { root } from '../../packaging/root.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { AGENT, Bench, Running, run } from '../helpers/programs.ts';
import { faultsOf, type Manifest } from './kubernetes-schemas.ts';

const FOLDER = join(root, 'packaging/kubernetes');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const read = (name: string) => readFileSync(join(FOLDER, name), 'utf8');
const { resources } = parse(read('kustomization.yaml')) as { resources: string[] };
const manifests = resources.flatMap((name) => parseAllDocuments(read(name)).map((one) => one.toJS() as Manifest));
const of = (kind: string, name: string) => manifests.find((one) => one.kind === kind && one.metadata.name === name) as Manifest;
const [agents, hub] = [of('DaemonSet', 'scout-agent'), of('Deployment', 'scout-hub')];

describe('the manifests', () => {
  it('are what the published schemas ask for, with no field that they do not know', async () => {
    expect(manifests.map(({ kind }) => kind).sort()).toEqual([
      'ConfigMap',
      'DaemonSet',
      'Deployment',
      'Namespace',
      'NetworkPolicy',
      'NetworkPolicy',
      'PersistentVolumeClaim',
      'Service',
      'ServiceAccount',
      'ServiceAccount',
    ]);
    for (const manifest of manifests) expect(await faultsOf(manifest), `${manifest.kind} ${manifest.metadata.name}`).toEqual([]);
  });

  it('and the check of that finds a misspelt field, a wrong type and a missing one', async () => {
    const spoilt = structuredClone(agents);
    spoilt.spec.template.spec.containers[0].readinesProbe = {};
    spoilt.spec.template.spec.terminationGracePeriodSeconds = 'soon';
    delete spoilt.spec.selector;
    expect((await faultsOf(spoilt)).join('\n')).toMatch(/readinesProbe: not in the schema/);
    expect((await faultsOf(spoilt)).join('\n')).toMatch(/terminationGracePeriodSeconds: type/);
    expect((await faultsOf(spoilt)).join('\n')).toMatch(/"missingProperty":"selector"/);
  });

  it('run without rights: no root, no capability, no writable root file system, no token of the cluster', () => {
    for (const { spec } of [agents.spec.template, hub.spec.template]) {
      expect(spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } });
      for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
        expect(container.image).toMatch(new RegExp(`^scout-(agent|hub):${version}$`));
        expect(container.securityContext).toMatchObject({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources).toMatchObject({ limits: { memory: expect.any(String) }, requests: { memory: expect.any(String) } });
      }
      for (const { securityContext, livenessProbe } of spec.containers) {
        expect(securityContext.capabilities.add).toBeUndefined();
        expect(livenessProbe).toBeDefined();
      }
    }
    for (const mount of agents.spec.template.spec.containers[0].volumeMounts) if (mount.name !== 'state') expect(mount.readOnly).toBe(true);
  });

  it('belong together: selectors, mounts, ports and names lead somewhere', () => {
    for (const workload of [agents, hub]) {
      const { spec, metadata } = workload.spec.template;
      expect(metadata.labels).toMatchObject(workload.spec.selector.matchLabels);
      const volumes = spec.volumes.map(({ name }: { name: string }) => name);
      for (const container of [...spec.containers, ...(spec.initContainers ?? [])])
        for (const { name } of container.volumeMounts) expect(volumes).toContain(name);
      expect(of('ServiceAccount', spec.serviceAccountName)).toBeDefined();
    }
    const service = of('Service', 'scout-hub');
    expect(hub.spec.template.metadata.labels).toMatchObject(service.spec.selector);
    const [names] = hub.spec.template.spec.containers[0].args.flatMap((word: string) => word.match(/(?<=^--tls-name=).*/) ?? []);
    const { name, namespace } = service.metadata;
    expect(names.split(',')).toEqual(
      ['', `.${namespace}`, `.${namespace}.svc`, `.${namespace}.svc.cluster.local`].map((end) => name + end),
    );
    for (const { metadata, kind } of manifests) if (kind !== 'Namespace') expect(metadata.namespace).toBe('scout');
  });

  it('hold a configuration that the agent takes', () => {
    const bench = new Bench();
    try {
      // The folder of the Secret, with what the pod would see there.
      const place = join(bench.folder, 'secret');
      mkdirSync(place);
      const { config: text } = { config: of('ConfigMap', 'scout-agent').data['config.yml'] as string };
      writeFileSync(join(bench.folder, 'config.yml'), text.replace(/^\s+ca_file:.*$/m, '').replace(/^tls:$/m, ''));
      writeFileSync(join(place, 'node-1'), 'a1'.repeat(32), { mode: 0o600 });
      const env = { SCOUT_API_KEY_FILE: join(place, 'node-1'), SCOUT_HOST_NAME: 'node-1', NODE_NAME: 'node-1' };
      const { config, problems } = resolveConfig({ file: join(bench.folder, 'config.yml'), env, uid: 65_532 });
      expect(problems).toEqual([]);
      expect(config).toMatchObject({ host_name: 'node-1', api: { endpoint: 'https://scout-hub:8443' }, host: { proc: '/host/proc' } });
    } finally {
      void bench.close();
    }
  });
});

describe('a mounted Secret', () => {
  let bench: Bench;
  afterEach(() => bench.close());

  it('that the kubelet replaces by its `..data` link is taken up by the running agent, with nothing refused', async () => {
    bench = new Bench();
    await bench.startHub();
    const { key, fingerprint } = await bench.addServer('node-1');
    const place = join(bench.folder, 'secret');
    mkdirSync(place);
    const swap = (generation: string, text: string) => {
      mkdirSync(join(place, generation));
      writeFileSync(join(place, generation, 'node-1'), text, { mode: 0o440 });
      symlinkSync(generation, join(place, '..data_tmp'));
      renameSync(join(place, '..data_tmp'), join(place, '..data'));
    };
    swap('..2026_11_21_1', key);
    symlinkSync('..data/node-1', join(place, 'node-1'));
    const config = bench.configure('agent', key, 'interval: 100ms\n');
    writeFileSync(config, readFileSync(config, 'utf8').replace(/key: .*/, `key_file: ${join(place, 'node-1')}`));
    const agent = new Running(AGENT, ['run', '--config', config]);
    await agent.said('heartbeat accepted with this key');
    const status = async () => JSON.parse((await run(AGENT, ['status', '--config', config, '--json'])).stdout);
    expect((await status()).key.fingerprint).toBe(fingerprint);

    const fresh = JSON.parse(await bench.hubCommand(['key', 'rotate', 'node-1', '--json']));
    swap('..2026_11_21_2', fresh.key);
    await agent.said(`"fingerprint":"${fresh.fingerprint}"`);
    const { pid, state, key: used } = await status();
    expect({ pid, state, used: used.fingerprint }).toEqual({ pid: agent.child.pid, state: 'running', used: fresh.fingerprint });
    const { instances, refused } = await bench.show('node-1');
    expect(refused['401'] ?? 0).toBe(0);
    expect(instances).toMatchObject([{ gaps: [], duplicates: 0 }]);
    expect(await agent.end()).toBe(0);
  });
});
