/**
 * Run by the Dockerfile: `node packaging/docker/stage.ts DIR` lays out in DIR/agent and DIR/hub what each image holds
 * beyond its base, and in DIR/agent-state and DIR/hub-state the one folder that each writes to, empty.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bundle } from '../../scripts/build.ts';
import { debianPlaces, layOut } from '../layout.ts';
import { ARCHITECTURES, type Architecture, preparedNode } from '../node.ts';
import { PROGRAMS } from '../programs.ts';
import { root, sourceDate } from '../root.ts';
import { Tree } from '../tree.ts';

const [out = '/out'] = process.argv.slice(2);
const architecture = (Object.keys(ARCHITECTURES) as Architecture[]).find((name) => ARCHITECTURES[name] === process.arch);
if (!architecture) throw new Error(`there is no package of Node for ${process.arch}`);

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const date = sourceDate();
mkdirSync(out, { recursive: true });
const bundles = join(out, 'dist');
const inside = await bundle({ out: bundles, version });
const node = preparedNode(architecture, join(out, 'nodes'), out);

for (const program of PROGRAMS) {
  const { name } = program;
  const whole = new Tree(join(out, 'whole'));
  whole.directory('');
  await layOut(whole, { program, architecture, version, date, bundles, libraries: inside[program.bundle], node }, debianPlaces(name));
  // Units, manual and completion are for hosts.
  const image = new Tree(join(out, program.bundle));
  image.directory('');
  for (const path of [`usr/bin/${name}`, `usr/lib/${name}`, `usr/share/doc/${name}`]) {
    image.directory(dirname(path));
    renameSync(whole.at(path), image.at(path));
  }
  rmSync(whole.folder, { recursive: true });
  if (program.bundle === 'hub') image.copy(join(root, 'packaging/docker/healthcheck.js'), `usr/lib/${name}/healthcheck.js`);
  image.copy('/usr/bin/tini-static', 'usr/bin/tini', 0o755);
  for (const folder of readdirSync('/usr/lib').filter((one) => one.endsWith('-linux-gnu')))
    image.file(`usr/lib/${folder}/libatomic.so.1`, readFileSync(`/usr/lib/${folder}/libatomic.so.1`));
  image.date(date);
  const state = new Tree(join(out, `${program.bundle}-state`));
  state.directory('');
  state.directory(name, 0o700);
  state.date(date);
}

// What it was made of is no part of it, and need not be kept as a layer.
for (const name of ['dist', 'nodes']) rmSync(join(out, name), { recursive: true, force: true });
