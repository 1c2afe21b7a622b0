import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyright } from '../../packaging/licences.ts';
import { pinnedNode } from '../../packaging/node.ts';
import { PROGRAMS } from '../../packaging/programs.ts';
import { root } from '../../packaging/root.ts';
import { licencesOf, type Materials, sbom } from '../../packaging/sbom.ts';
import { bundle } from '../../scripts/build.ts';

/* The bill of materials, held to the schemas that its project publishes. */

const schemas = join(createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json'), '../res/schema');
const schema = (name: string) => JSON.parse(readFileSync(join(schemas, name), 'utf8'));

describe('the bill of materials', () => {
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  for (const name of ['spdx.SNAPSHOT.schema.json', 'jsf-0.82.SNAPSHOT.schema.json'])
    ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}`);
  const valid = ajv.compile(schema('bom-1.6.SNAPSHOT.schema.json'));
  const folder = pinnedNode('amd64', join(root, 'artefacts/nodes'));
  const { node: version, ...versions } = process.versions;
  const node = { version, folder, binary: join(folder, 'bin/node'), parts: versions as Record<string, string> };
  const place = mkdtempSync(join(os.tmpdir(), 'scout-sbom-'));
  let materials: Materials[] = [];

  beforeAll(async () => {
    const inside = await bundle({ out: join(place, 'dist'), version: '1.2.3' });
    const common = { version: '1.2.3', date: 1_800_000_000 };
    materials = PROGRAMS.map((program) => ({ ...common, program, libraries: inside[program.bundle], architecture: 'amd64', node }));
    materials.push({ ...common, program: PROGRAMS[0]!, libraries: inside.agent.union(inside.hub) });
    materials.push({ ...materials[0]!, node: { ...node, system: 'win' } });
  });

  afterAll(() => rmSync(place, { recursive: true }));

  it('is as CycloneDX 1.6 wants it, with every licence a known one', () => {
    for (const one of materials) {
      expect(valid(JSON.parse(sbom(one))), JSON.stringify(valid.errors)).toBe(true);
      expect(JSON.stringify(licencesOf(one))).not.toContain('undefined');
    }
    // The schemas are really asked.
    expect(valid({ ...JSON.parse(sbom(materials[0]!)), specVersion: 2 })).toBe(false);
  });

  it('names all that is inside, each with its checksum, and nothing twice', () => {
    const bom = JSON.parse(sbom(materials[0]!));
    const names = bom.components.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(['commander', 'pino', 'smol-toml', 'systeminformation', 'undici', 'yaml', 'zod', 'node']));
    expect(names).not.toContain('vitest');
    const all = bom.components.flatMap((one: { components?: object[] }) => [one, ...(one.components ?? [])]);
    const refs = all.map((one: { 'bom-ref': string }) => one['bom-ref']);
    expect(new Set(refs).size).toBe(refs.length);
    for (const { dependsOn = [] } of bom.dependencies) for (const ref of dependsOn) expect(refs).toContain(ref);
    for (const { name, hashes } of bom.components) expect(hashes, name).toHaveLength(1);
    expect(all.find(({ name }: { name: string }) => name === 'openssl')).toMatchObject({
      version: process.versions.openssl,
      cpe: expect.stringMatching(/^cpe:2\.3:a:openssl:openssl:\d/),
    });
  });

  it('tells which Node it is', () => {
    const purls = materials.map((one) => JSON.parse(sbom(one)).components.find(({ name }: { name: string }) => name === 'node')?.purl);
    expect(purls).toEqual(['linux', 'linux', undefined, 'win'].map((system) => system && `pkg:npm/node-${system}-x64@${version}`));
  });

  it('has the same number for the same content, and another for another', () => {
    const serial = (one: Materials) => JSON.parse(sbom(one)).serialNumber;
    expect(serial(materials[0]!)).toBe(serial({ ...materials[0]! }));
    expect(serial(materials[0]!)).not.toBe(serial({ ...materials[0]!, version: '1.2.4' }));
  });

  it('is not made while the licence of a part of Node is not known', () => {
    const one = { ...materials[0]!, node: { ...node, parts: { ...node.parts, newcomer: '1.0' } } };
    expect(() => sbom(one)).toThrow('the licence of newcomer');
  });

  it('goes with a text of every licence', () => {
    const text = copyright(materials[2]!.libraries, node, false);
    for (const name of [...materials[2]!.libraries, 'Node.js']) expect(text).toMatch(new RegExp(`^${RegExp.escape(name)} \\d`, 'm'));
    expect(text).toContain('libuv');
    expect(() => copyright(new Set(['@types']), node, false)).toThrow();
  });
});
