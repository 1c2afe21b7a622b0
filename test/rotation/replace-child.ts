import { readFileSync } from 'node:fs';
import { ConfiguredFiles } from '../../src/rotation/configured.ts';

/** Replaces a credential in a process of its own, to be killed in the middle of it; what to do comes on stdin. */
const { options, expected, values } = JSON.parse(readFileSync(0, 'utf8'));
process.stdout.write(new ConfiguredFiles(options).replace(expected, values));
