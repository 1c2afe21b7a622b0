import * as z from 'zod';
import { parseBytes, parseDuration } from '../support/durations.ts';
import { parseListen } from '../support/listen.ts';

/*
 * The one schema of the configuration: from it come the types, the messages, the JSON Schema for editors and the
 * reference page. Every field has a description; `.meta({ secret: true })` marks what is masked and may be sealed.
 * What comes out is resolved: durations are milliseconds, sizes are bytes, shorthands are written out.
 */

const measured = (parse: (text: string | number) => number | undefined, least: number, most: number, expected: string, written: string) =>
  z
    .union([z.string(), z.number()])
    .transform((text, context) => {
      const amount = parse(text);
      if (amount !== undefined && amount >= least && amount <= most) return amount;
      context.addIssue({ code: 'custom', message: `not ${expected}` });
      return z.NEVER;
    })
    .default(parse(written) as number)
    .meta({ expected, written });

/** Milliseconds; unset: `written`. */
const duration = (least: string, most: string, written: string) =>
  measured(
    parseDuration,
    parseDuration(least) as number,
    parseDuration(most) as number,
    `a duration between ${least} and ${most}`,
    written,
  );
/** Bytes; unset: `written`. */
const bytes = (written: string) => measured(parseBytes, 0, Number.MAX_SAFE_INTEGER, `a size such as ${written}`, written);

/** Environment files know text only, so `true`, `no`, `0` and the like are taken as well. */
const flag = z.union([z.boolean(), z.stringbool()]).meta({ expected: 'true or false' });
const count = (least: number, most: number) =>
  z
    .union([
      z.number(),
      z
        .string()
        .regex(/^\d{1,15}$/)
        .transform(Number),
    ])
    .pipe(z.number().int().min(least).max(most))
    .meta({ expected: `a whole number between ${least} and ${most}` });
/** A list, or its items in one text with commas between them (environment files). */
const list = z
  .union([
    z.array(z.string()),
    z.string().transform((text) =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter(Boolean),
    ),
  ])
  .meta({ expected: 'a list of texts (or one text with commas between them)' });
const secret = (description: string) => z.string().meta({ description, secret: true });

/** A collector's settings; `true` and `false` alone switch it. */
const collector = <Shape extends z.ZodRawShape>(description: string, enabled: boolean, shape: Shape) => {
  const object = z.strictObject({ enabled: flag.default(enabled).describe('Whether it runs.'), ...shape });
  return z
    .preprocess((input) => (typeof input === 'object' && input !== null ? input : input === undefined ? {} : { enabled: input }), object)
    .describe(description);
};

export const collectorsSchema = z.strictObject({
  cpu: collector('Processor time by mode.', true, {
    per_core: flag.default(true).describe('One series a core; without it, the sum of all.'),
  }),
  load: collector('Load averages.', true, {}),
  memory: collector('Memory, huge pages and slab.', true, {}),
  swap: collector('Swap space and paging.', true, {}),
  pressure: collector('Pressure stall information: cpu, memory, io.', true, {}),
  filesystem: collector('Space and inodes of mounted file systems.', true, {
    exclude_types: list.default([]).describe('File system types left out, beside the pseudo ones.'),
    exclude_mounts: list.default([]).describe('Mount points left out; `*` matches any text.'),
  }),
  disk: collector('Block device operations, bytes and times.', true, {
    exclude: list.default([]).describe('Device names left out; `*` matches any text.'),
  }),
  network: collector('Network interfaces.', true, { exclude: list.default([]).describe('Interfaces left out; `*` matches any text.') }),
  sockets: collector('TCP and UDP: states, retransmits, socket counts.', true, {}),
  processes: collector('Processes by state, forks, and the largest by processor time and memory.', true, {
    top: count(0, 50).default(5).describe('How many of the largest are named; 0 names none.'),
  }),
  filefd: collector('Open file descriptors of the system.', true, {}),
  system: collector('Uptime, context switches and interrupts.', true, {}),
  vmstat: collector('Paging, faults, reclaim and OOM kills.', true, {}),
  conntrack: collector('Connection tracking table.', true, {}),
  entropy: collector('Entropy available to the kernel.', true, {}),
  thermal: collector('Temperatures.', true, {}),
  inventory: collector('Hardware and system facts, at start and then once an hour.', true, {}),
});

const destination = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9_-]{0,31}$/)
    .meta({ expected: 'a name of lower-case letters, digits, - and _, at most 32, beginning with a letter' })
    .describe('Name in status, metrics and logs; its place in the outbox is kept under it.'),
  type: z.enum(['scout', 'otlp']).describe('`scout`: a scout-hub. `otlp`: any OpenTelemetry endpoint, OTLP/HTTP.'),
  endpoint: z.string().describe('Its address. For otlp without a path, /v1/metrics is added.'),
  auth: z
    .enum(['api-key', 'bearer', 'none'])
    .optional()
    .describe('How `key` is sent: `X-API-Key: KEY` or `Authorization: Bearer KEY`. Unset: api-key to a scout-hub, none without a key.'),
  key: secret('The key for this destination. A scout-hub takes nothing without one.').optional(),
});

export const configSchema = z.strictObject({
  api: z
    .strictObject({
      endpoint: z.string().default('https://127.0.0.1:8443').describe('Address of the service. HTTPS, but for loopback.'),
      key: secret('The key that proves which host this is.').optional(),
      key_file: z.string().optional().describe('A file that holds the key and nothing else: a mounted Kubernetes or Docker secret.'),
      key_format: z
        .enum(['auto', 'hex64', 'opaque'])
        .default('auto')
        .describe(
          'What a well-formed key is. `auto`: 64 hexadecimal characters, or opaque text where the name is Observer’s or Logstag’s or `auth` is bearer.',
        ),
      auth: z
        .enum(['api-key', 'bearer', 'jwt'])
        .optional()
        .describe(
          'How the key is sent: `X-API-Key: KEY`, `Authorization: Bearer KEY`, or a signed JWT made from `private_key`. Unset: jwt with a private key, else api-key.',
        ),
      private_key: secret('RSA private key of an organisation credential: PEM, or base64url of its PKCS#8 DER.').optional(),
      private_key_file: z.string().optional().describe('A file that holds the private key.'),
      credential_id: z.string().optional().describe('Id of the organisation credential; `sub` of the JWT.'),
      kid: z.string().optional().describe('Key id of the JWT; when set, it must be the RFC 7638 thumbprint of the key.'),
      timeout: duration('100ms', '5m', '10s').describe('Longest wait for an answer.'),
    })
    .prefault({}),
  interval: duration('5ms', '24h', '10s').describe('Time between two heartbeats.'),
  host_name: z
    .string()
    .min(1)
    .max(255)
    .refine((text) => text.trim() !== '' && !/\p{Cc}/u.test(text))
    .meta({ expected: 'text of 1 to 255 characters, none of them a control character' })
    .optional()
    .describe('Name under which this host reports. Unset: its hostname.'),
  collectors: collectorsSchema.prefault({} as z.input<typeof collectorsSchema>),
  outbox: z
    .strictObject({
      max_bytes: bytes('256MiB').describe('Most bytes kept while the service is out of reach; then the oldest go, counted.'),
      min_free_bytes: bytes('64MiB').describe('The outbox stops growing when its disk has less free than this.'),
    })
    .prefault({}),
  tls: z
    .strictObject({
      ca_file: z.string().optional().describe('Certificate authorities in PEM, in place of those that Node brings (Mozilla’s).'),
      cert_file: z.string().optional().describe('Client certificate in PEM.'),
      key_file: z.string().optional().describe('Key of the client certificate in PEM.'),
      key_passphrase: secret('Passphrase of that key.').optional(),
    })
    .prefault({}),
  proxy: secret(
    'HTTP proxy for all requests, `http://[user:password@]host:port`; https_proxy and no_proxy are obeyed when unset.',
  ).optional(),
  destinations: z
    .array(destination)
    .meta({ expected: 'a list of destinations, each with name, type and endpoint' })
    .default([])
    .describe('Further places that get every heartbeat, each with its own place in the outbox.'),
  prometheus: z
    .strictObject({
      listen: z
        .string()
        .refine((text) => parseListen(text) !== undefined)
        .meta({
          expected: 'HOST:PORT, [IPV6]:PORT or :PORT',
          description: 'HOST:PORT on which Prometheus may scrape this host’s metrics at /metrics, over plain http. Unset: nothing listens.',
        })
        .optional(),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info').describe('Least severity logged.'),
      format: z.enum(['auto', 'json', 'text']).default('auto').describe('`auto`: text on a terminal, JSON elsewhere.'),
      file: z.string().optional().describe('Log file; unset: standard error. Reopened on SIGHUP.'),
    })
    .prefault({}),
  state_dir: z
    .string()
    .optional()
    .describe('Folder for the outbox and all else that must survive. /var/lib/scout-agent, or under XDG_STATE_HOME for a user.'),
  runtime_dir: z.string().optional().describe('Folder for the control socket. /run/scout-agent, or under XDG_RUNTIME_DIR for a user.'),
  host: z
    .strictObject({
      proc: z.string().default('/proc').describe('Where the host’s procfs is mounted.'),
      sys: z.string().default('/sys').describe('Where the host’s sysfs is mounted.'),
      root: z.string().default('/').describe('Where the host’s root file system is mounted.'),
    })
    .prefault({}),
});

type Parsed = z.output<typeof configSchema>;

/** The configuration as the daemon runs it: parsed, defaults filled in, secrets opened, folders decided. */
export type Config = Omit<Parsed, 'state_dir' | 'runtime_dir'> & { state_dir: string; runtime_dir: string };
export type CollectorsConfig = Config['collectors'];
export type DestinationConfig = Config['destinations'][number];
