import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockOf } from './lock.ts';
import { ARCHITECTURES, type Architecture, type Node } from './node.ts';
import type { Program } from './programs.ts';
import { root } from './root.ts';

/** What a bill of materials tells of; without a Node where the user brings one. */
export interface Materials {
  program: Pick<Program, 'name' | 'summary'>;
  version: string;
  /** Seconds since 1970. */
  date: number;
  libraries: ReadonlySet<string>;
  architecture?: Architecture;
  node?: Node;
}

/**
 * What Node's project builds into it: licence (SPDX), and the vendor and product that advisories name it by. As its
 * LICENSE file tells; `modules` and `napi` of `process.versions` number interfaces and are no parts.
 */
const PARTS: Record<string, [licence: string, product?: string]> = {
  acorn: ['MIT'],
  ada: ['MIT OR Apache-2.0', 'ada-url:ada'],
  amaro: ['MIT'],
  ares: ['MIT', 'c-ares:c-ares'],
  brotli: ['MIT', 'google:brotli'],
  cldr: ['Unicode-3.0'],
  icu: ['Unicode-3.0', 'icu-project:international_components_for_unicode'],
  libffi: ['MIT'],
  lief: ['Apache-2.0', 'lief-project:lief'],
  llhttp: ['MIT', 'llhttp:llhttp'],
  merve: ['MIT'],
  nbytes: ['MIT'],
  ncrypto: ['MIT'],
  nghttp2: ['MIT', 'nghttp2:nghttp2'],
  nghttp3: ['MIT'],
  ngtcp2: ['MIT'],
  openssl: ['Apache-2.0', 'openssl:openssl'],
  simdjson: ['Apache-2.0'],
  simdutf: ['MIT'],
  sqlite: ['blessing', 'sqlite:sqlite'],
  tz: ['public domain'],
  undici: ['MIT', 'nodejs:undici'],
  unicode: ['Unicode-3.0'],
  uv: ['MIT', 'libuv:libuv'],
  uvwasi: ['MIT'],
  v8: ['BSD-3-Clause', 'google:v8'],
  zlib: ['Zlib', 'zlib:zlib'],
  zstd: ['BSD-3-Clause', 'facebook:zstandard'],
};
const INTERFACES = new Set(['modules', 'napi']);

/** The bill of materials of a program, as CycloneDX 1.6 in JSON. Throws where the licence of a part is not known. */
export function sbom({ program, version, date, libraries, architecture, node }: Materials): string {
  const ref = `${program.name}@${version}`;
  const found = [...libraries].sort().map(library);
  const platform = node && [platformOf(node, architecture as Architecture)];
  const body = {
    version: 1,
    metadata: {
      timestamp: new Date(date * 1_000).toISOString(),
      lifecycles: [{ phase: 'build' }],
      component: {
        type: 'application',
        'bom-ref': ref,
        name: program.name,
        version,
        description: program.summary,
        ...licensed('Apache-2.0'),
      },
    },
    components: [...found, ...(platform ?? [])],
    dependencies: [
      { ref, dependsOn: [...found, ...(platform ?? [])].map((one) => one['bom-ref']) },
      ...found.map((one) => ({ ref: one['bom-ref'] })),
      ...(platform ?? []).flatMap((one) => [
        { ref: one['bom-ref'], dependsOn: one.components.map((part) => part['bom-ref']) },
        ...one.components.map((part) => ({ ref: part['bom-ref'] })),
      ]),
    ],
  };
  const head = { $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json', bomFormat: 'CycloneDX', specVersion: '1.6' };
  return `${JSON.stringify({ ...head, serialNumber: serialOf(JSON.stringify(body)), ...body }, undefined, 1)}\n`;
}

/** Licences (SPDX) of all that is inside, ours first. */
export function licencesOf(materials: Materials): string[] {
  const { components } = JSON.parse(sbom(materials)) as { components: Component[] };
  const all = components.flatMap((one) => [one, ...(one.components ?? [])]).flatMap(({ licenses }) => licenses);
  const names = all.map(({ expression, license }) => (expression ? `(${expression})` : (license?.id ?? 'LicenseRef-Public-Domain')));
  return [...new Set(['Apache-2.0', ...names.sort()])];
}

interface Component {
  licenses: { expression?: string; license?: { id?: string } }[];
  components?: Component[];
}

/** A library in the bundle, held to what was locked. */
function library(name: string) {
  const { version, license, description } = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'));
  const locked = lockOf(name);
  if (locked.version !== version) throw new Error(`${name} ${version} is installed, and ${locked.version} is locked`);
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    ...(description && { description }),
    hashes: [{ alg: 'SHA-512', content: Buffer.from(locked.integrity.replace('sha512-', ''), 'base64').toString('hex') }],
    ...licensed(license),
    purl,
  };
}

function platformOf({ version, binary, parts, system = 'linux' }: Node, architecture: Architecture) {
  const made =
    system === 'win' ? 'Windows, as its project published it' : `${ARCHITECTURES[architecture]}, without symbols and debug information`;
  const content = createHash('sha256').update(readFileSync(binary)).digest('hex');
  return {
    type: 'platform',
    'bom-ref': `node@${version}`,
    name: 'node',
    version,
    description: `Node.js for ${made}`,
    hashes: [{ alg: 'SHA-256', content }],
    ...licensed('MIT'),
    cpe: cpe('nodejs:node.js', version),
    purl: `pkg:npm/node-${system}-${ARCHITECTURES[architecture]}@${version}`,
    components: Object.entries(parts)
      .filter(([name]) => !INTERFACES.has(name))
      .map(([name, version]) => part(name, version)),
  };
}

function part(name: string, version: string) {
  const known = PARTS[name];
  if (!known) throw new Error(`the licence of ${name}, which Node holds, is not known here`);
  const [licence, product] = known;
  const purl = `pkg:generic/${name}@${version}`;
  return { type: 'library', 'bom-ref': purl, name, version, ...licensed(licence), ...(product && { cpe: cpe(product, version) }), purl };
}

/** The name that advisories use (CPE 2.3); of a version that has a suffix, only what its project numbers by. */
const cpe = (product: string, version: string): string => `cpe:2.3:a:${product}:${version.replace(/-.*/, '')}:*:*:*:*:*:*:*`;

function licensed(licence: string) {
  if (/ (OR|AND) /.test(licence)) return { licenses: [{ expression: licence }] };
  return { licenses: [{ license: licence.includes(' ') ? { name: licence } : { id: licence } }] };
}

/** The same number for the same content, where a random one would make each build another. */
function serialOf(content: string): string {
  const hex = createHash('sha256').update(content).digest('hex');
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
