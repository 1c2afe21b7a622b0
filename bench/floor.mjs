// The floor that the agent is held against: a bare Node that reads thirteen kernel files and posts them over a kept
// connection every ten seconds, with nothing else. Arguments: address, CA file.
import { readFileSync, statfsSync } from 'node:fs';
import https from 'node:https';

const [url, ca] = process.argv.slice(2);
const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: readFileSync(ca) });
const FILES = [
  'stat',
  'loadavg',
  'meminfo',
  'vmstat',
  'diskstats',
  'net/dev',
  'net/snmp',
  'net/sockstat',
  'uptime',
  'mounts',
  'sys/fs/file-nr',
  'swaps',
  'interrupts',
];

function once() {
  const body = FILES.map((name) => readFileSync(`/proc/${name}`, 'latin1')).join('\n') + JSON.stringify(statfsSync('/'));
  const call = https.request(url, { agent, method: 'POST', headers: { 'content-length': Buffer.byteLength(body) } }, (answer) =>
    answer.resume(),
  );
  call.on('error', () => {});
  call.end(body);
}
setInterval(once, 10_000);
once();
