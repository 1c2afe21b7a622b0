/**
 * `npm run bench:sizes [FOLDER]`: what each package takes, packed and installed, and what the Node inside takes of it.
 * FOLDER holds what `npm run package` made; artefacts/packages unless given.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { stripped } from '../packaging/elf.ts';
import { ARCHITECTURES, type Architecture, pinnedNode } from '../packaging/node.ts';
import { root } from '../packaging/root.ts';
import { table } from '../packaging/sizes.ts';
import { machine } from './lib.ts';

const folder = process.argv[2] ?? join(root, 'artefacts/packages');
const packages = existsSync(folder) ? readdirSync(folder).filter((name) => !/\.json$|^SHA256SUMS$|\.licences$/.test(name)) : [];
if (packages.length === 0) {
  process.stderr.write(`${folder} holds no packages: \`npm run package\` makes them.\n`);
  process.exit(1);
}
process.stdout.write(`${machine()}\n\n${table(packages.map((name) => join(folder, name)))}\n\n`);
for (const architecture of Object.keys(ARCHITECTURES) as Architecture[]) {
  const published = join(pinnedNode(architecture, join(root, 'artefacts/nodes')), 'bin/node');
  const [before, after] = [statSync(published).size, stripped(readFileSync(published)).length].map((bytes) => (bytes / 1e6).toFixed(1));
  process.stdout.write(`Node for ${architecture}: ${before} MB as published, ${after} MB without symbols and debug information\n`);
}
