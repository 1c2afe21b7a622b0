import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Node } from './node.ts';
import { root } from './root.ts';

/**
 * The copyright file of a package: our licence, and the whole text of that of each library that its bundle holds, and
 * of Node where it is inside. `common`: the text of our own is among the system's, as on Debian. Throws where a
 * library brings no licence.
 */
export function copyright(libraries: ReadonlySet<string>, node: Node | undefined, common: boolean): string {
  const parts = [...libraries].sort().map((name) => {
    const folder = join(root, 'node_modules', name);
    const { version, license, homepage } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return part(`${name} ${version} (${license})`, homepage, licenceIn(folder, license));
  });
  if (node) parts.push(part(`Node.js ${node.version}, as published by its project`, 'https://nodejs.org/', licenceIn(node.folder)));
  return `scout-agent
===========

Copyright: the authors of scout-agent.
Licence: Apache License, Version 2.0; ${common ? 'on Debian systems its text is in /usr/share/common-licenses/Apache-2.0' : 'its text is in LICENSE beside this file'}.

What follows is inside besides: the libraries of the bundle${node ? ', and Node.js with all that it carries' : ''}.

${parts.join('\n')}`;
}

function part(title: string, homepage: string | undefined, text: string): string {
  return `${'-'.repeat(78)}\n${title}\n${homepage ? `${homepage}\n` : ''}${'-'.repeat(78)}\n\n${text.trim()}\n`;
}

function licenceIn(folder: string, licence?: string): string {
  const name = readdirSync(folder).find((file) => /^(un)?licen[cs]e/i.test(file));
  // A text that names no holder of rights is the same for everybody: it stands here for who declares it and brings none.
  const path = name ? join(folder, name) : join(root, 'packaging/licences', String(licence));
  if (!existsSync(path)) throw new Error(`${folder} brings no licence`);
  return readFileSync(path, 'utf8').replaceAll('\r\n', '\n');
}
