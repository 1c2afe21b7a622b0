import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';

/* Where a configuration lies and what hangs on its file: conf.d, links, modes, owners, attributes. */

const root = process.getuid?.() === 0;

/** How the file that holds the key lies there. */
export interface Layout {
  mark: boolean;
  where: 'file' | 'conf.d' | 'key_file';
  link: 'none' | 'link' | 'chain' | '..data';
  owner: [uid: number, gid: number] | undefined;
  mode: number;
  attribute: 'none' | 'user' | 'acl';
  /** What follows the key in a file of its own. */
  end: '' | '\n' | '\r\n';
}

/** Any of them that the check of the configuration lets pass; `open`: what others may read is allowed, for sealed values. */
export const layouts = (open: boolean): fc.Arbitrary<Layout> =>
  fc
    .record<Layout>({
      mark: fc.boolean(),
      where: fc.constantFrom('file', 'file', 'conf.d', 'key_file'),
      link: fc.constantFrom('none', 'none', 'link', 'chain', '..data'),
      owner: root ? fc.constantFrom(undefined, undefined, [1234, 2345], [0, 2345], [1234, 0]) : fc.constant(undefined),
      mode: fc.constantFrom(0o600, 0o640, 0o400, 0o660, 0o440, 0o700, 0o1600, 0o4600, 0o2660, ...(open ? [0o644, 0o444, 0o755] : [])),
      attribute: fc.oneof({ weight: 8, arbitrary: fc.constant('none' as const) }, fc.constantFrom('user' as const, 'acl' as const)),
      end: fc.constantFrom('', '\n', '\r\n'),
    })
    // A group that is none of ours may not read a key.
    .filter(({ owner, mode, attribute }) => open || owner === undefined || owner[1] === 0 || ((mode & 0o077) === 0 && attribute !== 'acl'));

const NAMES = { env: 'agent.env', yaml: 'config.yml', toml: 'config.toml' };
const OTHER = {
  env: (key: string) => `SCOUT_API_KEY=${key}\nSCOUT_API_KEY_FORMAT=opaque\n`,
  yaml: (key: string) => `api:\n  key: ${key}\n  key_format: opaque\n`,
  toml: (key: string) => `api.key = "${key}"\napi.key_format = "opaque"\n`,
};
const POINTER = {
  env: 'SCOUT_API_KEY_FILE=key.txt\nSCOUT_API_KEY_FORMAT=opaque\n',
  yaml: 'api:\n  key_file: "key.txt" # mounted\n  key_format: opaque\n',
  toml: 'api.key_file = "key.txt"\napi.key_format = "opaque"\n',
};

/**
 * Writes a configuration of one format into an empty folder, with `text` in the file that holds the key. Gives the file
 * that is named to the program, and the one that holds the key, behind all links.
 */
export function lay(folder: string, format: 'env' | 'yaml' | 'toml', text: string, layout: Layout): { config: string; holder: string } {
  const config = path.join(folder, NAMES[format]);
  let named = config;
  if (layout.where === 'key_file') {
    named = path.join(folder, 'key.txt');
    writeFileSync(config, POINTER[format], { mode: 0o644 });
  } else if (layout.where === 'conf.d') {
    // The keys in the files before it are not in force, and not to be touched.
    mkdirSync(path.join(folder, 'conf.d'));
    named = path.join(folder, 'conf.d', `50-${NAMES[format]}`);
    writeFileSync(config, OTHER[format]('the-first-of-three-keys'), { mode: 0o600 });
    writeFileSync(path.join(folder, 'conf.d', '10-early.yml'), OTHER.yaml('the-second-of-three-keys'), { mode: 0o600 });
  }
  const holder = link(named, layout.link);
  writeFileSync(holder, text);
  if (layout.attribute !== 'none') attach(holder, layout.attribute);
  if (layout.owner) chownSync(holder, ...layout.owner);
  chmodSync(holder, layout.mode);
  return { config, holder };
}

/** Makes links under a name; the file that they lead to, which is not there yet. */
function link(named: string, how: Layout['link']): string {
  if (how === 'none') return named;
  const folder = path.dirname(named);
  const name = path.basename(named);
  if (how === '..data') {
    mkdirSync(path.join(folder, '..2026_01_02'));
    symlinkSync('..2026_01_02', path.join(folder, '..data'));
    symlinkSync(path.join('..data', name), named);
    return path.join(folder, '..2026_01_02', name);
  }
  const real = path.join(folder, 'real', 'whatever it is called');
  mkdirSync(path.dirname(real));
  if (how === 'link') symlinkSync(real, named);
  else {
    symlinkSync('real/second', named);
    symlinkSync('whatever it is called', path.join(folder, 'real', 'second'));
  }
  return real;
}

/** An access list in the kernel's own form: the owner, user 1234, the mask. */
const ACL = `0x02000000${['01000600ffffffff', '02000400d2040000', '04000000ffffffff', '10000400ffffffff', '20000000ffffffff'].join('')}`;

function attach(file: string, attribute: 'user' | 'acl'): void {
  const [name, value] = attribute === 'user' ? ['user.scout', '0x006b657074ff'] : ['system.posix_acl_access', ACL];
  execFileSync('setfattr', ['-n', name as string, '-v', value as string, file]);
}

/** Every extended attribute of a file, as text. */
export const attributesOf = (file: string): string =>
  execFileSync('getfattr', ['-d', '-m', '-', '-e', 'hex', '--absolute-names', file], { encoding: 'utf8' });

/** All that lies in a folder: kind, mode, owner, and what it holds or leads to. */
export function inventory(folder: string, at = ''): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(path.join(folder, at)).sort()) {
    const one = path.join(at, name);
    const full = path.join(folder, one);
    const { mode, uid, gid } = lstatSync(full);
    const kind = mode & 0o170000;
    const holds = kind === 0o120000 ? readlinkSync(full) : kind === 0o100000 ? readFileSync(full, 'latin1') : '';
    found[one] = `${mode.toString(8)} ${uid}:${gid} ${holds}`;
    if (kind === 0o040000) Object.assign(found, inventory(folder, one));
  }
  return found;
}
