/** Appends heartbeats to the outbox at argv[2] until it is killed; says each number on stdout once `append` has returned. */
import { writeSync } from 'node:fs';
import { Spool } from '../../src/delivery/spool.ts';

const quiet = () => {};
const spool = new Spool({
  path: process.argv[2] as string,
  maxBytes: 2 ** 28,
  minFreeBytes: 0,
  host: { now: () => Date.now(), monotonic: () => performance.now(), root: '/' },
  log: { debug: quiet, info: quiet, warn: quiet, error: (fields, message) => void writeSync(2, `${message} ${JSON.stringify(fields)}\n`) },
});
spool.open();
spool.setDestinations(['api', 'other']);
for (let count = 0; ; count++) {
  const { instance, sequence } = spool.append((instance, sequence) => ({
    json: JSON.stringify({ instance, sequence, noise: Math.random().toString(36).repeat(50) }),
    time: Date.now(),
  }));
  writeSync(1, `${instance} ${sequence}\n`);
  // `other` takes everything at once, so that deliveries are cut off as well; `api` nothing, so that all stays to be counted.
  if (count % 3 === 0) spool.delivered('other', spool.batch('other', 100, 2 ** 20));
}
