// HEALTHCHECK of the hub's image: status 0 while it answers /readyz on loopback. `node healthcheck.js [PORT]`; 8443 unless
// given. The certificate is not asked for: nothing is sent, and the hub itself may have been given any.
import { get } from 'node:https';

const port = Number(process.argv[2] ?? 8443);
const request = get({ host: '127.0.0.1', port, path: '/readyz', rejectUnauthorized: false, timeout: 5_000 }, (answer) => {
  answer.resume();
  process.exitCode = answer.statusCode === 200 ? 0 : 1;
});
request.on('timeout', () => request.destroy(new Error('no answer within 5 s')));
request.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
