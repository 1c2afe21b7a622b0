import { createPrivateKey, randomBytes } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { makeAuthority, makeLeaf } from '../../src/hub/tls/certificates.ts';
import { AGENT } from '../helpers/programs.ts';
import { type Hunt, together } from './hunt.ts';

/* The commands that read a configuration once, over good ones and over every mistake that people make with a key. */

/** Writes a configuration; `conf-…` is where the operator keeps secrets. */
export function configuration(hunt: Hunt, name: string, text: string, mode = 0o600): string {
  const file = hunt.path(`conf-${name}`);
  writeFileSync(file, text, { mode });
  return file;
}

const head = (hunt: Hunt) =>
  `state_dir: ${hunt.path('state')}\nruntime_dir: ${hunt.path('state/run')}\ntls: {ca_file: ${hunt.path('hub/ca.pem')}}\n`;

/** A configuration in YAML that reports to the hub. */
export const yaml = (hunt: Hunt, key: string, more = ''): string =>
  `api:\n  endpoint: ${hunt.bench.endpoint}\n  key: ${key}\n${more.includes('tls:') ? head(hunt).replace(/tls:.*\n/, '') : head(hunt)}${more}`;

const MISTAKES: [name: string, extension: string, text: (hunt: Hunt, key: string, password: string) => string][] = [
  ['truncated', 'yml', (hunt, key) => yaml(hunt, key.slice(0, -1))],
  ['too-long', 'yml', (hunt, key) => yaml(hunt, `${key}zzzz`)],
  ['spaces', 'yml', (hunt, key) => yaml(hunt, `"${key.slice(0, 30)} ${key.slice(30)}"`)],
  ['upper-case', 'yml', (hunt, key) => yaml(hunt, `X${key.slice(1).toUpperCase()}`)],
  ['quote', 'yml', (hunt, key) => yaml(hunt, `"${key}`)],
  ['colon', 'yml', (hunt, key) => yaml(hunt, `a: ${key}: b`)],
  ['indentation', 'yml', (_, key) => `api:\nkey: ${key}\nendpoint: x\n`],
  ['tab', 'yml', (_, key) => `api:\n\tkey: ${key}\n`],
  ['alias', 'yml', (_, key) => `api:\n  key: *${key}\n`],
  ['tag', 'yml', (_, key) => `api:\n  key: !${key} x\n`],
  ['name', 'yml', (hunt, key) => yaml(hunt, key).replace('  key:', '  kee:')],
  ['as-name', 'yml', (hunt, key) => `${yaml(hunt, 'x')}${key}: true\n`],
  ['as-section', 'yml', (_, key) => `api: ${key}\n`],
  ['as-endpoint', 'yml', (hunt, key) => yaml(hunt, key).replace(hunt.bench.endpoint, key)],
  ['in-user', 'yml', (hunt, key) => yaml(hunt, 'x').replace('https://', `https://user:${key}@`)],
  ['in-query', 'yml', (hunt, key) => yaml(hunt, 'x').replace(hunt.bench.endpoint, `${hunt.bench.endpoint}/?key=${key}`)],
  ['as-interval', 'yml', (hunt, key) => yaml(hunt, 'x', `interval: ${key}\n`)],
  ['as-level', 'yml', (hunt, key) => yaml(hunt, 'x', `log: {level: ${key}}\n`)],
  ['as-list', 'yml', (hunt, key) => yaml(hunt, `[${key}]`)],
  ['as-file', 'yml', (hunt, key) => yaml(hunt, 'x').replace('  key: x', `  key_file: ${key}`)],
  ['as-auth', 'yml', (hunt, key) => yaml(hunt, 'x').replace('  key: x', `  auth: ${key}`)],
  ['as-format', 'yml', (hunt, key) => yaml(hunt, 'x').replace('  key: x', `  key_format: ${key}`)],
  ['as-destination', 'yml', (hunt, key) => yaml(hunt, 'x', `destinations: [{name: ${key}, type: otlp, endpoint: y, key: ${key}}]\n`)],
  ['twice', 'yml', (hunt, key) => yaml(hunt, `${key}\n  key: ${key}`)],
  ['proxy', 'yml', (hunt, key, password) => yaml(hunt, key, `proxy: "http://me:${password} @127.0.0.1:1"\n`)],
  ['proxy-scheme', 'yml', (hunt, key, password) => yaml(hunt, key, `proxy: "ftp://me:${password}@127.0.0.1:1"\n`)],
  ['proxy-host', 'yml', (hunt, key, password) => yaml(hunt, key, `proxy: "http://me:${password}@"\n`)],
  ['quote', 'toml', (hunt, key) => `[api]\nendpoint = "${hunt.bench.endpoint}"\nkey = "${key}\n`],
  ['bare', 'toml', (hunt, key) => `[api]\nendpoint = "${hunt.bench.endpoint}"\nkey = ${key}\n`],
  ['table', 'toml', (_, key) => `[api.${key}]\nx = 1\n`],
  ['array', 'toml', (_, key) => `[api]\nkey = ["${key}", "${key}"\n`],
  ['quote', 'env', (hunt, key) => `SCOUT_API_ENDPOINT=${hunt.bench.endpoint}\nSCOUT_API_KEY="${key}\n`],
  ['line', 'env', (_, key) => `SCOUT_API_KEY ${key}\n${key}\n`],
  ['name', 'env', (_, key) => `SCOUT_API_KYE=${key}\nSCOUT_${key}=1\n`],
  ['sealed', 'env', (_, key) => `SCOUT_API_KEY=enc:v1:${key}\n`],
  ['credential', 'env', (_, key) => `SCOUT_API_KEY=systemd-cred:${key}\n`],
  ['file', 'env', (_, key) => `SCOUT_API_KEY_FILE=/nowhere/${key}\n`],
];

/** `--check-config` and its neighbours over every mistake. Returns how many there were. */
export async function mistakes(hunt: Hunt): Promise<number> {
  await together(MISTAKES, async ([name, extension, text]) => {
    const key = hunt.needles.key(`mistake ${name}`);
    const password = hunt.needles.password(`mistake ${name}`, 'proxy password');
    const file = configuration(hunt, `${name}.${extension}`, text(hunt, key, password));
    const label = `mistake ${name}.${extension}`;
    for (const args of [['--check-config'], ['--check-config', '--json'], ['run'], ['config', 'show']])
      await hunt.agent(label, [...args, '--config', file]);
  });
  return MISTAKES.length;
}

/** Good configurations, of each kind of secret, and what else reads them; `own` is a key that the hub takes. Returns the exit statuses by label. */
export async function readers(hunt: Hunt, own: string): Promise<Record<string, unknown>> {
  const { needles } = hunt;
  const statuses: Record<string, unknown> = {};
  const ran = async (label: string, ...rest: [string[], Parameters<Hunt['agent']>[2]?]) => {
    statuses[label] = (await hunt.agent(label, ...rest)).status;
  };
  const pair = needles.privateKey('check');
  const key = needles.key('check');
  const proxy = `http://me:${encodeURIComponent(needles.password('check', 'proxy password'))}@127.0.0.1:1`;
  const good = configuration(hunt, 'good.yml', yaml(hunt, key, `proxy: ${proxy}\n`));
  await ran('check good', ['--check-config', '--config', good]);
  await ran('check good online', ['--check-config', '--online', '--config', good]);
  const online = configuration(hunt, 'online.yml', yaml(hunt, own));
  for (const args of [['--check-config', '--online'], ['--check-config', '--online', '--json'], ['heartbeat']])
    await ran(`${args.join(' ')}, good`, [...args, '--config', online]);
  for (const verb of ['config show', 'sample --json', 'outbox stats', 'outbox verify', 'status', 'heartbeat --json', 'stop'])
    await ran(verb, [...verb.split(' '), '--config', good]);
  await ran('config schema', ['config', 'schema']);

  const open = configuration(hunt, 'open.yml', yaml(hunt, needles.key('open to others')));
  chmodSync(open, 0o644);
  await ran('check open to others', ['--check-config', '--config', open]);

  const jwt = (text: string) =>
    configuration(
      hunt,
      'jwt.yml',
      yaml(hunt, 'x').replace('  key: x', `  credential_id: me\n  private_key: |\n    ${text.trim().replaceAll('\n', '\n    ')}`),
    );
  await ran('check private key', ['--check-config', '--config', jwt(pair.pem)]);
  await ran('check private key online', ['--check-config', '--online', '--config', jwt(pair.pem)]);
  const broken = pair.pem
    .split('\n')
    .filter((_, line) => line !== 3)
    .join('\n');
  await ran('check broken private key', ['--check-config', '--config', jwt(broken)]);

  const authority = makeAuthority('clients', Date.now() - 86_400_000);
  for (const [name, right] of [
    ['right', true],
    ['wrong', false],
  ] as const) {
    const client = makeLeaf(authority, 'clients', [name], Date.now());
    needles.addPrivateKey(`client key, ${name}`, client.key);
    const passphrase = needles.password(name, 'TLS passphrase');
    const cipher = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: right ? passphrase : 'another' } as const;
    const pem = configuration(hunt, `client-${name}.pem`, createPrivateKey(client.key).export(cipher).toString());
    const cert = configuration(hunt, `client-${name}.cert`, client.cert);
    const tls = `tls: {ca_file: ${hunt.path('hub/ca.pem')}, cert_file: ${cert}, key_file: ${pem}, key_passphrase: "${passphrase}"}\n`;
    const file = configuration(hunt, `client-${name}.yml`, yaml(hunt, own, tls));
    for (const args of [['--check-config', '--online'], ['heartbeat'], ['rotate', '--dry-run']])
      await ran(`${args.join(' ')}, client key with ${name} passphrase`, [...args, '--config', file]);
  }

  // From the environment: there everybody with this user's name can read it, and the check says so.
  const variable = needles.key('variable');
  const env = { ...hunt.env, SCOUT_API_KEY: variable, SCOUT_API_ENDPOINT: hunt.bench.endpoint, SCOUT_STATE_DIR: hunt.path('state') };
  await ran('check variable', ['--check-config'], { env });
  return statuses;
}

/** `encrypt-value` in all its ways, and secrets given where none belongs. */
export async function sealing(hunt: Hunt): Promise<Record<string, unknown>> {
  const { needles } = hunt;
  const statuses: Record<string, unknown> = {};
  const note = (label: string, { status }: { status: unknown }) => {
    statuses[label] = status;
  };
  note('encrypt-value, stdin', await hunt.agent('encrypt-value, stdin', ['encrypt-value'], { input: needles.key('sealed, stdin') }));
  const typed = needles.key('sealed, typed');
  note('encrypt-value, typed', await hunt.typed('encrypt-value, typed', AGENT, ['encrypt-value'], ['Value of api.key', typed]));
  const interrupted = `${needles.key('interrupted')}\u0003`;
  note(
    'encrypt-value, interrupted',
    await hunt.typed('encrypt-value, interrupted', AGENT, ['encrypt-value'], ['Value of api.key', interrupted]),
  );
  // What was sealed in place is no longer in the file, and must be nowhere else.
  const inPlace = needles.key('sealed, in place');
  const file = configuration(hunt, 'sealed.yml', yaml(hunt, inPlace));
  note('encrypt-value --in-place', await hunt.agent('encrypt-value --in-place', ['encrypt-value', '--in-place', '--config', file]));
  const given = { input: needles.key('sealed, given') };
  note(
    'encrypt-value --in-place, given',
    await hunt.agent('encrypt-value --in-place, given', ['encrypt-value', '--in-place', '--config', file], given),
  );
  note('rewrap', await hunt.agent('rewrap', ['rewrap', '--config', file]));
  // Another machine id in a namespace of its own, which takes root.
  if (process.getuid?.() === 0) {
    const id = hunt.path('cwd', 'machine-id');
    writeFileSync(id, `${randomBytes(16).toString('hex')}\n`);
    const through = ['unshare', '-m', 'sh', '-c', `mount --bind '${id}' /etc/machine-id && exec "$@"`, 'sh'];
    for (const [label, verb] of [
      ['check, another machine', '--check-config'],
      ['rewrap, another machine', 'rewrap'],
      ['check, rewrapped', '--check-config'],
    ] as const)
      note(label, await hunt.agent(label, [verb, '--config', file], { through }));
  }

  const token = (
    await hunt.agent('encrypt-value, for another host', ['encrypt-value'], { input: needles.key('sealed, elsewhere') })
  ).stdout.trim();
  const elsewhere = configuration(hunt, 'elsewhere.yml', yaml(hunt, token));
  const other = hunt.path('keys', 'other.key');
  writeFileSync(other, needlesHost(hunt), { mode: 0o400 });
  const env = { ...hunt.env, SCOUT_HOST_KEY_FILE: other };
  note('check, another host key', await hunt.agent('check, another host key', ['--check-config', '--config', elsewhere], { env }));
  note('rewrap, another host key', await hunt.agent('rewrap, another host key', ['rewrap', '--config', elsewhere], { env }));
  chmodSync(other, 0o444);
  note('check, open host key', await hunt.agent('check, open host key', ['--check-config', '--config', elsewhere], { env }));

  // Pasted into the command line: there it stands by the operator's own hand, and nowhere else.
  const argument = () => needles.key('argument');
  for (const args of [
    ['encrypt-value', argument()],
    ['encrypt-value', `--value=${argument()}`],
    ['encrypt-value', '--field', argument()],
    ['rewrap', argument()],
    ['rotate', argument()],
    ['rotate', `--new-key=${argument()}`],
    ['rotate', `--new-key-stdin=${argument()}`],
    ['rotate', '--if-older-than', argument()],
    ['--check-config', argument()],
    [argument()],
    [`--key=${argument()}`],
    ['run', `--key=${argument()}`],
    ['run', argument()],
    ['status', `--api-key=${argument()}`],
  ])
    note(`mistyped ${args[0]?.slice(0, 14)}`, await hunt.agent('mistyped', args));
  return statuses;
}

function needlesHost(hunt: Hunt): Buffer {
  const key = randomBytes(32);
  hunt.needles.add('host key', 'another host', key);
  return key;
}
