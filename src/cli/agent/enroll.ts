import type { Format } from '../../config/load.ts';
import type { ResolveOptions } from '../../config/resolve.ts';
import type { Config } from '../../config/schema.ts';
import type { Proof } from '../../credentials/proof.ts';
import type { EnrolToken } from '../../protocol/enroll.ts';
import { ScoutError } from '../../support/errors.ts';
import { type Surroundings, surroundings } from '../../support/surroundings.ts';
import { out } from '../output.ts';
import { example, type Verb } from '../program.ts';
import type { EnrollFiles } from './enroll-files.ts';
import type { EnrollPlace } from './enroll-place.ts';
import type { Begun } from './enroll-start.ts';

interface Options {
  name?: string;
  ca?: string;
  format?: string;
  config?: string;
  force?: boolean;
  start: boolean;
  json?: boolean;
}

const FORMATS: Record<string, Format> = { yaml: 'yaml', toml: 'toml', env: 'env' };

/** `scout-agent enroll`: gives this host a key of its own, by a token that works once. Goes on where it was cut short. */
export const verb: Verb = (program) => {
  const command = program
    .command('enroll <url>')
    .description('give this host a key, by a token of the hub (from a prompt or stdin), and write the configuration')
    .option('--name <name>', 'the name that this host reports under; its hostname unless given')
    .option('--ca <file>', 'certificate authority of the service, PEM; the token of a hub with its own tells of that')
    .option('--format <format>', 'of a configuration that is written anew: yaml, toml, env')
    .option('--config <path>', 'write this configuration, in place of /etc/scout-agent/config.yml')
    .option('--force', 'set a configuration aside that holds a key already')
    .option('--no-start', 'leave the service as it is; else root starts it, and waits for its first heartbeat')
    .option('--json', 'print one JSON document')
    .action(enroll);
  example(
    command,
    'scout-agent enroll https://scout.example.com',
    'scout-agent enroll https://scout.example.com:8443 --format toml < token.txt',
  );
};

async function enroll(url: string, options: Options): Promise<void> {
  const endpoint = await checkUsage(url, options);
  const [{ resolveOptions }, { enrollPlace }, { EnrollFiles }] = await Promise.all([
    import('../../config/options.ts'),
    import('./enroll-place.ts'),
    import('./enroll-files.ts'),
  ]);
  const resolve = resolveOptions(options);
  const format = options.format === undefined ? undefined : FORMATS[options.format];
  const place = enrollPlace(resolve, { force: options.force === true, ...(format && { format }) });
  const files = new EnrollFiles(place, resolve);
  const token = await readTheToken(endpoint);
  const config = place.done ? finished(files, place, endpoint) : await enrolled(files, { endpoint, token, options, resolve });
  const proof = await prove(config);
  if (!place.done) files.commit();
  await report(place, files, proof, { config, options });
}

/** Everything up to a key that the service has taken. */
async function enrolled(
  files: EnrollFiles,
  {
    endpoint,
    token,
    options,
    resolve,
  }: { endpoint: string; token: EnrolToken & { text: string }; options: Options; resolve: ResolveOptions },
): Promise<Config> {
  files.prepare();
  const kept = files.keptKey(endpoint);
  const caFile = await authority(files, options, { endpoint, token, resolve });
  const config = files.stage({ endpoint, hostName: options.name, caFile }, kept);
  if (kept === undefined || !(await isKnown(config))) await register(files, config, token);
  return config;
}

function finished(files: EnrollFiles, { file }: EnrollPlace, endpoint: string): Config {
  const config = files.finish();
  if (config?.api.endpoint === endpoint) return config;
  throw new ScoutError('ENROLL_CONFIGURED', { place: `api.key in ${file}` });
}

async function checkUsage(url: string, { format, name }: Options): Promise<string> {
  const { checkEndpoint } = await import('../../config/endpoint.ts');
  const usage = (detail: string) => new ScoutError('USAGE', { detail, program: 'scout-agent enroll' });
  if (format !== undefined && !Object.hasOwn(FORMATS, format))
    throw usage(`--format ${format} is none of ${Object.keys(FORMATS).join(', ')}`);
  if (name !== undefined && (name === '' || name.length > 255)) throw usage('--name has 1 to 255 characters');
  const { value, problems } = checkEndpoint('the address', url, {});
  const [fault] = problems;
  if (value === undefined || fault) throw fault ? ScoutError.of(fault) : usage('the address cannot be used');
  return value;
}

/** The token from the prompt or from stdin. Throws ENROLL_TOKEN. */
async function readTheToken(endpoint: string): Promise<EnrolToken & { text: string }> {
  const [{ readSecret }, { readToken }] = await Promise.all([import('../prompt.ts'), import('../../protocol/enroll.ts')]);
  const text = (await readSecret('Token', 'scout-agent')).trim();
  if (text === '')
    throw new ScoutError('ENROLL_TOKEN', { endpoint, detail: process.stdin.isTTY ? 'nothing was typed' : 'stdin was empty' });
  const token = readToken(text);
  if (!token) throw new ScoutError('ENROLL_TOKEN', { endpoint, detail: 'what was given is no token, or not a whole one' });
  return { ...token, text };
}

/** The file of the authority to trust: the one named, the one that the token tells of, or none (those that Node brings). */
async function authority(
  files: EnrollFiles,
  { ca }: Options,
  { endpoint, token, resolve }: { endpoint: string; token: EnrolToken; resolve: ResolveOptions },
): Promise<string | undefined> {
  if (ca !== undefined) return namedAuthority(files, ca);
  if (token.authority === null || !endpoint.startsWith('https:')) return undefined;
  const [{ fetchAuthority }, { connectionTo }] = await Promise.all([
    import('../../credentials/enroll.ts'),
    import('../../credentials/request.ts'),
  ]);
  const api = { endpoint, timeout: 10_000 } as Config['api'];
  const target = connectionTo({ api, tls: {} }, resolve.env);
  return files.keepAuthority(await fetchAuthority(target, token.authority));
}

/** A file of the system stays where it is, and changes with it; another is copied to where the agent may read it. */
async function namedAuthority(files: EnrollFiles, ca: string): Promise<string> {
  const [{ readFileSync }, path, { X509Certificate }] = await Promise.all([import('node:fs'), import('node:path'), import('node:crypto')]);
  const file = path.resolve(ca);
  const fault = (detail: string) => new ScoutError('TLS_FILE', { name: '--ca', path: file, detail });
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw fault((error as NodeJS.ErrnoException).code ?? 'it cannot be read');
  }
  try {
    new X509Certificate(text);
  } catch {
    throw fault('it holds no certificate in PEM');
  }
  return /^\/(etc|usr)\//.test(file) ? file : files.keepAuthority(text);
}

/** Whether the service took the key of an earlier run, whose answer was lost. */
async function isKnown(config: Config): Promise<boolean> {
  const [{ askWhoami }, { connectionTo }, { createCredential }] = await Promise.all([
    import('../../credentials/whoami.ts'),
    import('../../credentials/request.ts'),
    import('../../credentials/create.ts'),
  ]);
  return (await askWhoami(connectionTo(config, process.env), createCredential(config.api))).kind === 'accepted';
}

async function register(files: EnrollFiles, config: Config, token: { text: string }): Promise<void> {
  const [{ askToEnroll }, { connectionTo }, { createHash }, { hostname }] = await Promise.all([
    import('../../credentials/enroll.ts'),
    import('../../credentials/request.ts'),
    import('node:crypto'),
    import('node:os'),
  ]);
  const sha256 = createHash('sha256')
    .update(config.api.key ?? '')
    .digest('hex');
  try {
    await askToEnroll(connectionTo(config, process.env), { token: token.text, sha256, host_name: config.host_name ?? hostname() });
  } catch (error) {
    if (error instanceof ScoutError && error.code === 'ENROLL_REFUSED') files.drop();
    throw error;
  }
}

/** Has the service say whose key it is, and refuse a random one. Throws the first fault; the same command goes on from there. */
async function prove(config: Config): Promise<Proof> {
  const { proveCredential } = await import('../../credentials/prove.ts');
  const { proof, problems } = await proveCredential(config);
  const fault = problems.find(({ severity }) => severity === 'error');
  if (fault) throw ScoutError.of(fault);
  return proof;
}

async function report(
  place: EnrollPlace,
  files: EnrollFiles,
  { server, policy, service_id, fingerprint }: Proof,
  { config, options }: { config: Config; options: Options },
): Promise<void> {
  const { file, aside } = place;
  const { endpoint } = config.api;
  const say = (text: string) => options.json || out.line(text);
  say(`Enrolled at ${endpoint} as ${server?.name ?? 'a server'}: the service takes the key ${fingerprint}, and refuses a random one.`);
  say(`The configuration is ${file}; the key in it is ${files.sealed ? 'sealed to this host' : 'plain, and the file closed to others'}.`);
  if (aside) say(`The one before is ${aside.to}; it holds a key: remove it when you need it no more.`);

  const { begun, next } = await goOn(config, options);
  const ids = { server_id: server?.id ?? null, name: server?.name ?? null, policy: policy ?? null, service_id };
  if (options.json)
    out.json({
      ...ids,
      fingerprint,
      config: file,
      sealed: files.sealed,
      ca_file: config.tls.ca_file ?? null,
      aside: aside?.to ?? null,
      service: begun?.service ?? null,
      heartbeat: begun?.heartbeat ?? null,
      next,
    });
  if (!begun) return void say(next === null ? 'The running agent takes it up by itself.' : `Next: ${next}`);
  const { failureOf } = await import('./heartbeat.ts');
  const failure = failureOf(begun.heartbeat.outcome, endpoint, fingerprint ?? 'unknown');
  if (failure) throw failure;
  const how = begun.service === 'started' ? 'is started, and enabled for each boot' : 'runs, and has read it';
  say(`The service scout-agent ${how}: heartbeat ${begun.heartbeat.sequence} accepted with this key.`);
}

/** What starts an agent that no command of its own starts. */
const NEXT: Partial<Record<Surroundings, string>> = {
  container: 'start the container of the agent with this configuration, or restart it',
  windows: 'Start-Service scout-agent',
};

/** Starts the service where it is root's to start; else says what starts the agent: null when it runs. */
async function goOn(config: Config, options: Options): Promise<{ begun?: Begun; next: string | null }> {
  const [{ beginService, isRunning }, { hasUnit }] = await Promise.all([import('./enroll-start.ts'), import('./enroll-place.ts')]);
  const serviced = options.config === undefined && !process.env.SCOUT_CONFIG && process.getuid?.() === 0 && hasUnit();
  if (serviced && options.start) return { begun: await beginService(config), next: null };
  if (await isRunning(config.runtime_dir)) return { next: null };
  if (serviced) return { next: 'systemctl enable --now scout-agent' };
  const next = NEXT[surroundings()];
  if (next !== undefined) return { next };
  return { next: `scout-agent --daemon${options.config === undefined ? '' : ` --config ${options.config}`}` };
}
