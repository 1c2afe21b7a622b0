/** Types, style, unused code, and the structure the design asks for. `--fix` mends what can be mended. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const fix = process.argv.includes('--fix');

const steps: [string, ...string[]][] = [['tsc'], ['biome', 'check', ...(fix ? ['--write'] : ['--error-on-warnings'])], ['knip']];
let failed = false;
for (const [command, ...args] of steps) {
  const done = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (done.status !== 0) failed = true;
}
process.exit(failed ? 1 : 0);
