/** Says again what failed in the suites that ran last, with the first lines of why: CI's logs are long and read from their end. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const artefacts = fileURLToPath(new URL('../artefacts/', import.meta.url));
const indented = (text: string, lines: number): string =>
  stripVTControlCharacters(text)
    .split('\n')
    .slice(0, lines)
    .map((line) => `    ${line}\n`)
    .join('');

for (const name of readdirSync(artefacts)
  .filter((each) => each.endsWith('.json'))
  .sort()) {
  const suite = name.replace(/\.json$/, '');
  for (const file of JSON.parse(readFileSync(artefacts + name, 'utf8')).testResults ?? []) {
    const tests: { status: string; fullName: string; failureMessages: string[] }[] = file.assertionResults;
    const failed = tests.filter((test) => test.status !== 'passed');
    for (const { status, fullName, failureMessages } of failed)
      process.stdout.write(`${status}: ${suite}: ${fullName}\n${indented(failureMessages.join('\n'), 12)}`);
    if (file.status === 'failed' && failed.length === 0)
      process.stdout.write(`failed: ${suite}: ${file.name}\n${indented(file.message, 12)}`);
  }
}
