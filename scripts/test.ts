/**
 * `npm test`: builds, checks types and style, runs the unit and integration tests. With the name of a suite
 * (`kill`, `faults`, `leak`, … see SLOW) it builds and runs that one, with several names those, two files at a time; what
 * follows the names is for vitest. Ends with a line `N passed, N failed, N skipped`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SLOW = [
  'kill',
  'faults',
  'pages',
  'clone',
  'leak',
  'storm',
  'kill-rotate',
  'liars',
  'envelope',
  'preserve',
  'packages',
  'systemd',
  'hub-faults',
  'platforms',
  'authz',
];
const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);
const named = args.findIndex((arg) => !SLOW.includes(arg));
const suites = named < 0 ? args : args.slice(0, named);
const rest = args.slice(suites.length);
const suite = suites.join('+');
const ci = Boolean(process.env.CI);

function run(what: string, command: string, args: string[]): boolean {
  process.stdout.write(`\n── ${what}\n`);
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0;
}

if (suites.length === 0 && rest[0] !== undefined && !rest[0].startsWith('-') && !rest[0].includes('/')) {
  process.stderr.write(`There is no suite \`${rest[0]}\`; known are ${SLOW.join(', ')}.\n`);
  process.exit(64);
}

let ok = run('build', 'node', ['scripts/build.ts']);
if (ok && !suite) ok = run('types and style', 'node', ['scripts/check.ts']);

mkdirSync(`${root}artefacts`, { recursive: true });
const report = `${root}artefacts/${suite || 'unit'}.json`;
rmSync(report, { force: true });
const where = suite
  ? suites.map((name) => `test/${name}/`)
  : ['--exclude', ...SLOW.flatMap((name) => [`test/${name}/**`, '--exclude']).slice(0, -1)];
if (ok)
  ok = run(`tests${suite ? `: ${suite}` : ''}`, 'vitest', [
    'run',
    ...where,
    ...rest,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]);

let [passed, failed, skipped] = [0, ok ? 0 : 1, 0];
if (existsSync(report)) {
  const found = JSON.parse(readFileSync(report, 'utf8'));
  passed = found.numPassedTests;
  failed = found.numFailedTests + (ok || found.numFailedTests > 0 ? 0 : 1);
  skipped = found.numPendingTests + found.numTodoTests;
}
// What could not run was not proved: in CI everything that a test needs has been installed.
if (ci && skipped > 0) process.stdout.write(`\nSkipped in CI, which counts as failed: see the skipped tests above.\n`);
process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exit(failed > 0 || (ci && skipped > 0) || passed === 0 ? 1 : 0);
