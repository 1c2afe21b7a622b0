import { existsSync } from 'node:fs';
import type { Migration } from '../../config/migrate.ts';
import { out } from '../output.ts';
import { example, type Verb } from '../program.ts';

interface Options {
  dryRun?: boolean;
  link: boolean;
  json?: boolean;
}

/** `scout-agent migrate`: the configuration from where older agents had it to /etc/scout-agent; the key stays the same. */
export const verb: Verb = (program) => {
  const command = program
    .command('migrate')
    .description(
      'move the configuration from an old place (/opt/scout-agent, /opt/serverscout, /etc/observer-agent.env) to /etc/scout-agent',
    )
    .option('--dry-run', 'tell what would be done, and whether anything speaks against it')
    .option('--no-link', 'leave a note in the old place, not a link to the new one')
    .option('--json', 'print one JSON document')
    .action(run);
  example(command, 'scout-agent migrate --dry-run', 'scout-agent migrate');
};

async function run(options: Options): Promise<void> {
  const [{ resolveOptions }, { isReadableToService, migrate, planMigration }] = await Promise.all([
    import('../../config/options.ts'),
    import('../../config/migrate.ts'),
  ]);
  // What is named there says nothing about the places.
  const { SCOUT_CONFIG: _named, ...env } = process.env;
  const resolve = resolveOptions({}, env);
  const plan = planMigration(resolve);
  if (!options.dryRun) await locked(plan, () => migrate(plan, resolve, options.link));
  const files = plan.moves.map(({ from, to, paths }) => ({ from, to, paths }));
  const unreadable = plan.moves.filter(({ from, to }) => !isReadableToService(options.dryRun ? from : to)).map(({ to }) => to);
  if (options.json)
    return out.json({
      moved: !options.dryRun && files.length > 0,
      dry_run: options.dryRun === true,
      files,
      unused: plan.unused,
      unreadable,
    });
  tell(plan, options);
  for (const file of unreadable) out.note(`The agent\u2019s own user may not read it: chgrp scout-agent ${file} && chmod 0640 ${file}`);
}

/** No rotation shall write into a file that is on its way. Throws ROTATE_BUSY. */
async function locked({ config }: Migration, work: () => void): Promise<void> {
  if (!config || !existsSync(config.state_dir)) return work();
  const { RotationLock } = await import('../../rotation/lock.ts');
  const lock = new RotationLock(config.state_dir);
  lock.acquire();
  try {
    work();
  } finally {
    lock.release();
  }
}

function tell({ moves, unused }: Migration, { dryRun, link }: Options): void {
  for (const { from, to, paths } of moves) {
    out.line(`${from} ${dryRun ? 'would become' : 'is now'} ${to}, with the same owner and mode`);
    for (const one of paths) out.line(`  ${one.name}: ${one.from} becomes ${one.to}; what it names stays where it is`);
    const left = link ? 'a link to it' : `a note, ${from}.moved`;
    out.line(`  ${dryRun ? 'in its old place would be left' : 'in its old place is left'} ${left}`);
  }
  for (const file of unused) out.line(`${file} is not read by the agent, and stays; it may hold an old key`);
  const done = dryRun ? 'Nothing was changed.' : 'The key is the same; a running agent finds the configuration by itself.';
  out.line(moves.length === 0 ? 'Nothing to move: the configuration stands in no old place.' : done);
}
