import type { Command } from 'commander';
import type { Serving } from '../../hub/serve.ts';
import type { Place } from '../../hub/store/open.ts';
import type { TlsFlags } from '../../hub/tls/tls.ts';
import { parseBytes } from '../../support/durations.ts';
import { parseListen } from '../../support/listen.ts';
import type { LogLevel } from '../../support/logger.ts';
import { VERSION } from '../../support/version.ts';
import { out } from '../output.ts';
import { example } from '../program.ts';
import { durationOption, usage, withData } from './common.ts';
import { type DutyFlags, dutiesOf, withDuties } from './duties.ts';
import { type FrontFlags, frontOf, withFront } from './front.ts';

interface Options extends DutyFlags, FrontFlags, TlsFlags, Place {
  listen: string;
  retention: string;
  maxSize: string;
  silentAfter: string;
}

/** `scout-hub serve`: runs until SIGTERM or SIGINT; SIGHUP reads the certificate again. */
export function verb(program: Command): void {
  const command = program
    .command('serve')
    .description('take heartbeats and show the fleet, over HTTPS')
    .option('--listen <host:port>', 'address to listen on', '127.0.0.1:8443')
    .option('--tls-cert <file>', 'certificate, PEM, with its chain')
    .option('--tls-key <file>', 'private key of the certificate, PEM')
    .option('--tls-self-signed', 'certificate from an authority of our own, kept in the data folder as ca.pem')
    .option('--tls-name <name...>', 'names and addresses for that certificate, besides those of this machine: hub.example,192.0.2.1')
    .option('--retention <duration>', 'how long heartbeats are kept', '24h')
    .option('--max-size <size>', 'how much the database may hold; the oldest heartbeats make room', '10GiB')
    .option('--silent-after <n>', 'when an unheard server is silent: after so many of its intervals, or a time such as 5m', '10');
  withData(withDuties(withFront(command))).action(run);
  example(command, 'scout-hub serve --listen 127.0.0.1:8443 --data ./hub --tls-self-signed');
}

async function run(options: Options): Promise<void> {
  const [{ serve }, { tlsChoice }, { parseSilentAfter }, { createLogger }] = await Promise.all([
    import('../../hub/serve.ts'),
    import('../../hub/tls/tls.ts'),
    import('../../hub/silence.ts'),
    import('../../support/logger.ts'),
  ]);
  const [duties, front] = [await dutiesOf(options), await frontOf(options)];
  const tls = tlsChoice(options);
  const { host, port } = listenOn(options.listen);
  const retentionMs = durationOption('--retention', options.retention);
  const mostBytes = parseBytes(options.maxSize);
  if (mostBytes === undefined) throw usage(`--max-size ${options.maxSize} is not a size such as 10GiB`);
  const silentAfter = parseSilentAfter(options.silentAfter);
  if (!silentAfter)
    throw usage(`--silent-after ${options.silentAfter} is neither a number of intervals from 3 on nor a duration such as 5m`);
  // Nothing of a request's headers or body is ever handed to the log, so there is nothing to scrub from it.
  const log = createLogger({ level: logLevel(), format: 'auto', secrets: () => [] });
  const { data, database } = options;
  const serving = await serve({ data, database, host, port, tls, retentionMs, mostBytes, silentAfter, duties, front, log });
  out.note(`scout-hub ${VERSION} on ${serving.origin}, data in ${database === undefined ? data : 'PostgreSQL'}`);
  if (serving.ca) out.note(`clients trust it by its certificate authority: ${serving.ca}`);
  const ended = untilSignal(serving);
  out.note('ready');
  await ended;
  await serving.stop();
  log.flush();
}

const LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error'] satisfies LogLevel[];

function logLevel(wanted = process.env.SCOUT_LOG_LEVEL ?? ''): LogLevel {
  return LEVELS.includes(wanted) ? (wanted as LogLevel) : 'info';
}

/** Where to listen; on loopback unless a host is named. */
function listenOn(text: string): { host: string; port: number } {
  const found = parseListen(text);
  if (!found) throw usage(`--listen ${text} is not HOST:PORT`);
  return { host: '127.0.0.1', ...found };
}

function untilSignal(serving: Serving): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
    process.on('SIGHUP', () => serving.renew());
    // Left alone, Node answers this one by opening its debugger to every user of the machine.
    process.on('SIGUSR1', () => {});
  });
}
