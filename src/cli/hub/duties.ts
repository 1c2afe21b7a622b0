import type { Command } from 'commander';
import type { DutyOptions } from '../../hub/duties/duties.ts';
import { ScoutError } from '../../support/errors.ts';
import { durationOption, usage } from './common.ts';

/** Options of `serve` for what the hub does beside serving. */
export interface DutyFlags {
  history: string;
  forwardOtlp?: string;
  forwardHeaderFile?: string;
  forwardCa?: string;
  forwardFrom: string;
  webhook?: string;
  webhookSecretFile?: string;
  webhookCa?: string;
  webhookGrace: string;
}

/** Adds them to `serve`. */
export function withDuties(command: Command): Command {
  return command
    .option('--history <duration>', 'how long roll-ups of ten minutes are kept, for charts beyond --retention; 0s for none', '30d')
    .option('--forward-otlp <url>', 'hand every heartbeat on to this receiver of OTLP/HTTP')
    .option('--forward-header-file <file>', 'headers for it, `Name: value` a line: a token is not given on the command line')
    .option('--forward-ca <file>', 'certificate authority that it is trusted by, PEM')
    .option('--forward-from <place>', 'what is sent first when this is used for the first time: now, or start (all that is kept)', 'now')
    .option('--webhook <url>', 'tell this address of servers that become late, silent and alive again')
    .option('--webhook-secret-file <file>', 'key that it knows the hub by: `whsec_` and base64 of 24 to 64 bytes')
    .option('--webhook-ca <file>', 'certificate authority that it is trusted by, PEM')
    .option('--webhook-grace <duration>', 'how long after its own start the hub tells nobody late: agents find back first', '330s');
}

/** What the options ask for. Throws USAGE, CONFIG_VALUE, ENDPOINT_PLAIN_HTTP. */
export async function dutiesOf(flags: DutyFlags): Promise<DutyOptions> {
  const { forwardOtlp, forwardFrom, webhook, webhookSecretFile } = flags;
  const options: DutyOptions = { historyMs: durationOption('--history', flags.history) };
  if (forwardFrom !== 'now' && forwardFrom !== 'start') throw usage(`--forward-from ${forwardFrom} is neither now nor start`);
  if (forwardOtlp !== undefined) {
    const url = await addressOf('--forward-otlp', forwardOtlp);
    options.forward = { url, from: forwardFrom, headerFile: flags.forwardHeaderFile, caFile: flags.forwardCa };
  } else if (flags.forwardHeaderFile !== undefined || flags.forwardCa !== undefined)
    throw usage('--forward-header-file and --forward-ca go with --forward-otlp URL');
  if (webhook !== undefined) {
    if (webhookSecretFile === undefined) throw usage('--webhook needs --webhook-secret-file FILE, by which its receiver knows the hub');
    const url = await addressOf('--webhook', webhook);
    const graceMs = durationOption('--webhook-grace', flags.webhookGrace);
    options.webhook = { url, secretFile: webhookSecretFile, caFile: flags.webhookCa, graceMs };
  } else if (webhookSecretFile !== undefined || flags.webhookCa !== undefined)
    throw usage('--webhook-secret-file and --webhook-ca go with --webhook URL');
  return options;
}

/** The rules are those of the agent's addresses: HTTPS but for loopback, and nothing secret in it. */
async function addressOf(option: string, text: string): Promise<string> {
  const { checkEndpoint } = await import('../../config/endpoint.ts');
  const { value, problems } = checkEndpoint(option, text, {});
  if (value === undefined) throw problems[0] ? ScoutError.of(problems[0]) : usage(`${option} is not an address`);
  return value;
}
