import { example, type Verb } from '../program.ts';

/** `scout-agent config show` and `config schema`. */
export const verb: Verb = (program) => {
  const config = program.command('config').description('the effective configuration, and the schema of the file');
  example(config, 'scout-agent config show', 'scout-agent config schema');

  const show = config
    .command('show')
    .description('prints the effective configuration, secrets masked, with the origin of each value')
    .option('--config <path>', 'configuration file, in place of the one that would be found')
    .option('--json', 'one JSON document')
    .action(async (options: { config?: string; json?: boolean }) => {
      const [{ resolveOptions }, { exitOf, resolveConfig }] = await Promise.all([
        import('../../config/options.ts'),
        import('../../config/resolve.ts'),
      ]);
      const [{ formatProblem }, { out }, { valueTable }] = await Promise.all([
        import('../../support/errors.ts'),
        import('../output.ts'),
        import('./check.ts'),
      ]);
      const { file, values, problems } = resolveConfig(resolveOptions(options));
      if (options.json) out.json({ file, values });
      else out.line(valueTable(values));
      for (const found of problems) if (found.severity === 'error') out.note(formatProblem(found));
      process.exitCode = exitOf(problems);
    });
  example(show, 'scout-agent config show', 'scout-agent config show --json | jq \'.values[] | select(.source != "default")\'');

  const schema = config
    .command('schema')
    .description('prints the JSON Schema of the file, for editors')
    .action(async () => {
      const [{ jsonSchema }, { out }] = await Promise.all([import('../../config/json-schema.ts'), import('../output.ts')]);
      out.json(jsonSchema());
    });
  example(schema, 'scout-agent config schema > scout-agent.schema.json');
};
