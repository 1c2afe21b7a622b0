import { out, table } from '../output.ts';
import { example, type Verb } from '../program.ts';

interface Options {
  json?: boolean;
  proc?: string;
  sys?: string;
  root?: string;
}

/** `scout-agent inventory`: what this host is. The daemon runs it as a child once an hour. */
export const verb: Verb = (program) => {
  const command = program
    .command('inventory', { hidden: true })
    .description('print what this host is: system, hardware, network cards')
    .option('--json', 'print JSON')
    .option('--proc <dir>', 'where the procfs of the host is mounted')
    .option('--sys <dir>', 'where the sysfs of the host is mounted')
    .option('--root <dir>', 'where the root file system of the host is mounted')
    .action(async ({ json, ...roots }: Options) => {
      const [{ readInventory }, { realHost }] = await Promise.all([
        import('../../collectors/inventory.ts'),
        import('../../support/host.ts'),
      ]);
      const found = await readInventory(realHost(roots));
      if (json) out.json(found);
      else
        out.line(
          table(
            ['NAME', 'VALUE'],
            Object.entries(found).map(([name, value]) => [name, String(value)]),
          ),
        );
    });
  example(command, 'scout-agent inventory --json');
};
