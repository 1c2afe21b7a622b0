import { type Command, Option } from 'commander';
import type { Copied } from '../../hub/store/copy/copy.ts';
import type { Place } from '../../hub/store/open.ts';
import { out, table } from '../output.ts';
import { example } from '../program.ts';
import { defaultData, usage } from './common.ts';

interface Options {
  from?: string;
  to?: string;
  acceptBrokenAudit?: boolean;
  json?: boolean;
}

/** `scout-hub copy`: all that a hub keeps, from SQLite to PostgreSQL or back, while it stands still. */
export function verb(program: Command): void {
  const command = program
    .command('copy')
    .description('copy all that a stopped hub keeps into an empty place: from its folder to PostgreSQL, or back')
    .option(
      '--from <place>',
      'folder of the hub, or postgres://user@host/name; the default folder, or SCOUT_HUB_DATABASE when --to is a folder',
    )
    .addOption(
      // The variable, since every user of the machine can read a password in the arguments.
      new Option('--to <place>', 'an empty PostgreSQL database, or a folder without hub.db').env('SCOUT_HUB_DATABASE'),
    )
    .option('--accept-broken-audit', 'copy an audit trail that is broken as it stands, too')
    .option('--json', 'one JSON document')
    .action(run);
  example(
    command,
    'systemctl stop scout-hub',
    'SCOUT_HUB_DATABASE=postgres://scout_hub@db.example/scout_hub scout-hub copy --from /var/lib/scout-hub',
  );
}

async function run(options: Options): Promise<void> {
  const [from, to] = endsOf(options);
  const { copyHub } = await import('../../hub/store/copy/copy.ts');
  const progress = new Progress(process.stderr);
  const copied = await copyHub(from, to, {
    acceptBrokenAudit: options.acceptBrokenAudit ?? false,
    onProgress: (table, done, all) => progress.tell(`${table}: ${done} of ${all}`),
  }).finally(() => progress.end());
  if (options.json) return out.json(documentOf(copied));
  out.line(table(['WHAT', 'ROWS'], Object.entries(copied.rows)));
  for (const { org, fault } of copied.trails)
    if (fault) out.note(`The audit trail of organisation ${org} is broken at line ${fault.line}, as it was before: ${fault.detail}.`);
  out.note(`Copied from ${copied.from} to ${copied.to}: as many rows on both sides, and every audit trail with the hashes that it had.`);
  out.note(`What is in ${copied.from} is as it was. Put it aside: agents would be lost on a hub that is started on it again.`);
}

/** Both ends: what is not named is the default folder, or the database of the environment. Throws USAGE. */
function endsOf({ from, to }: Options, env: NodeJS.ProcessEnv = process.env): [from: Place, to: Place] {
  if (to === undefined || to === '') throw usage('copy wants to know where to: --to, or SCOUT_HUB_DATABASE');
  const target = placeOf(to);
  const source = placeOf(from ?? (target.database === undefined && env.SCOUT_HUB_DATABASE ? env.SCOUT_HUB_DATABASE : defaultData()));
  if (source.database !== undefined && source.database === target.database) throw usage('--from and --to are the same database');
  return [source, target];
}

const placeOf = (text: string): Place => (/^postgres(ql)?:/i.test(text) ? { data: defaultData(), database: text } : { data: text });

function documentOf({ from, to, rows, trails }: Copied): object {
  const audit = trails.map(({ org, lines, last, fault }) => ({ organisation: org, lines, last, broken_at: fault?.line ?? null }));
  return { from, to, rows, audit };
}

/** How far it is: one line that changes on a terminal, a line now and then elsewhere. */
class Progress {
  readonly #stream: NodeJS.WriteStream;
  #last = performance.now();
  #shown = false;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  tell(text: string): void {
    const now = performance.now();
    if (now - this.#last < (this.#stream.isTTY ? EVERY_MS.terminal : EVERY_MS.elsewhere)) return;
    this.#last = now;
    this.#shown = this.#stream.isTTY;
    this.#stream.write(this.#stream.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#shown) this.#stream.write('\r\x1b[K');
  }
}

/** How often it is told, ms. */
const EVERY_MS = { terminal: 100, elsewhere: 10_000 };
