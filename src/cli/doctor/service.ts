import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { resolveConfig } from '../../config/resolve.ts';
import type { Config } from '../../config/schema.ts';
import { tryConnection } from '../../credentials/connect.ts';
import type { Proof, ProofStep } from '../../credentials/proof.ts';
import { proveCredential } from '../../credentials/prove.ts';
import { randomLike } from '../../credentials/random.ts';
import { connectionTo } from '../../credentials/request.ts';
import { EXIT, type Problem, ScoutError } from '../../support/errors.ts';
import { type Finding, findings, ofProblem } from './finding.ts';
import type { Patient } from './patient.ts';
import { judgeRefusal } from './refusal.ts';
import { REMEDIES } from './remedies.ts';

const group = findings('service');
const clock = findings('clock');

/** A service that says nothing, step after step, must not hold up all the rest. */
const PATIENCE_MS = 20_000;
/** Before this the clock was never set: this program was not written yet. */
const BUILT = Date.parse('2026-01-01T00:00:00Z');

/** The online proof, a row a step, with the clock; without a usable key at least whether the service can be reached. */
export async function checkService(patient: Patient): Promise<Finding[]> {
  const { config } = patient.resolution;
  if (!config) return [...localClock(patient, undefined), ...(await reachAnyway(patient))];
  const proved = await Promise.race([proveCredential(config, patient.resolving.env), delay(PATIENCE_MS, undefined, { ref: false })]);
  if (!proved) {
    const late = group.failed(
      'service',
      `${config.api.endpoint}: no end of it within ${PATIENCE_MS / 1_000} s`,
      'Check network, DNS and proxy.',
      {
        exit: EXIT.unreachable,
      },
    );
    return [...localClock(patient, undefined), late];
  }
  const { proof, problems } = proved;
  const error = problems.find(({ severity }) => severity === 'error');
  const rows = proof.steps.filter(({ name }) => name !== 'clock').map((step) => stepRow(step, error, patient));
  // A fault that no step tells of: a certificate's file, a clock.
  if (error && !rows.some(({ status }) => status !== 'ok')) rows.push(ofProblem('service', error.code, error));
  return [...localClock(patient, proof, problems), ...rows, ...ending(proof), ...whose(proof, config), ...(await others(patient, config))];
}

function stepRow(step: ProofStep, error: Problem | undefined, patient: Patient): Finding {
  if (step.ok || !error) return group.ok(step.name, step.detail);
  if (error.code === 'KEY_REFUSED') return judgeRefusal(step.detail, error, patient);
  const row = ofProblem('service', step.name, error, isWrongUrl(step, error) ? 'wrong-service-url' : undefined);
  return { ...row, detail: step.detail };
}

function isWrongUrl({ name, detail }: ProofStep, { code }: Problem): boolean {
  if (code === 'SERVICE_UNEXPECTED' || code === 'KEY_CONTROL_ACCEPTED') return true;
  if (name === 'dns') return detail.includes('there is no such name');
  return name === 'tls' && /is for another host|does not speak TLS/.test(detail);
}

function localClock({ now, around }: Patient, proof: Proof | undefined, problems: Problem[] = []): Finding[] {
  if (now < BUILT) return [clock.failed('clock', `it says ${new Date(now).toISOString()}`, REMEDIES[around].clock)];
  const skewed = problems.find(({ code }) => code === 'CLOCK_SKEW');
  if (skewed) return [{ ...ofProblem('clock', 'clock', skewed), remedy: REMEDIES[around].clock }];
  const seconds = proof?.skew_seconds;
  const compared =
    seconds === undefined
      ? 'not compared with that of the service'
      : `${Math.abs(seconds)} s ${seconds < 0 ? 'behind' : 'ahead of'} the service`;
  return [clock.ok('clock', `${new Date(now).toISOString()}, ${compared}`)];
}

/** A window of two keys, in which the configuration still has the old one. */
function ending({ slot, previous_key_valid_until: until }: Proof): Finding[] {
  if (slot !== 'previous') return [];
  const text = `the configured key is the one before the current one${until ? `, and ends at ${until}` : ''}`;
  return [group.warning('slot', text, 'Set api.key to the current key; scout-agent rotate --explain tells whether this host has it.')];
}

/** The service knows which host a key was made for. */
function whose({ server }: Proof, { host_name: own }: Config): Finding[] {
  if (!server) return [];
  const name = own ?? hostname();
  if (server.name.toLowerCase() === name.toLowerCase() || server.name.split('.')[0] === name.split('.')[0])
    return [group.ok('host', `the key is that of ${server.name}`)];
  return [
    group.warning(
      'host',
      `the key is that of ${server.name}, and this host calls itself ${name}`,
      `Where that is another host, the file was saved there or copied from it: give this host a key of its own. Where it is this one, set host_name to ${server.name}.`,
      { cause: 'file-saved-on-another-host' },
    ),
  ];
}

/** Of further destinations only whether they can be reached; what they take, the running agent knows. */
function others({ resolving }: Patient, config: Config): Promise<Finding[]> {
  return Promise.all(
    config.destinations.map(async ({ name, endpoint }) => {
      const reach = { ...config, api: { ...config.api, endpoint } };
      const tried = reachable(reach, resolving.env);
      const found = await Promise.race([tried, delay(PATIENCE_MS, undefined, { ref: false })]);
      if (!found)
        return group.failed(name, `${endpoint}: no answer within ${PATIENCE_MS / 1_000} s`, 'Check network, DNS and proxy.', {
          exit: EXIT.unreachable,
        });
      return found.error ? ofProblem('service', name, found.error) : group.ok(name, `${endpoint} can be reached`);
    }),
  );
}

/** With a key made up here, which is not sent. */
async function reachAnyway({ resolving, resolution }: Patient): Promise<Finding[]> {
  const named = resolution.values.some(({ name, source }) => name === 'api.endpoint' && source !== 'default');
  const made = resolveConfig({
    ...resolving,
    overrides: { ...resolving.overrides, 'api.key': randomLike({ key: '0'.repeat(64) } as Config['api']).key },
  });
  if (!made.config || !named) return [group.warning('service', 'not asked: the configuration has faults', 'Correct those first.')];
  const found = await Promise.race([reachable(made.config, resolving.env), delay(PATIENCE_MS, undefined, { ref: false })]);
  const { steps = [], error } = found ?? {};
  const rows = steps.map((step) =>
    step.ok || !error
      ? group.ok(step.name, step.detail)
      : { ...ofProblem('service', step.name, error, isWrongUrl(step, error) ? 'wrong-service-url' : undefined), detail: step.detail },
  );
  return [...rows, group.warning('key', 'not sent: the configuration has faults', 'Correct those first.')];
}

async function reachable(
  config: Pick<Config, 'api' | 'tls' | 'proxy'>,
  env: NodeJS.ProcessEnv,
): Promise<{ steps: ProofStep[]; error?: Problem }> {
  const steps: ProofStep[] = [];
  try {
    await tryConnection(connectionTo(config, env), (step) => steps.push(step));
    return { steps };
  } catch (error) {
    if (error instanceof ScoutError) return { steps, error: error.problem };
    throw error;
  }
}
