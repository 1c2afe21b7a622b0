import { detailOf, type Problem, ScoutError } from '../../support/errors.ts';
import { out } from '../output.ts';
import { example, type Verb } from '../program.ts';

/** `scout-agent rewrap`: seals the values of the configuration anew, after the machine id changed. */
export const verb: Verb = (program) => {
  const command = program
    .command('rewrap')
    .description('re-seal the sealed values of the configuration after the machine id changed; host.key must be the same')
    .option('--config <path>', 'read this configuration')
    .action(rewrap);
  example(command, 'scout-agent rewrap');
};

async function rewrap(options: { config?: string }): Promise<void> {
  const [{ resolveOptions }, { openingOf, resolveConfig }, { applyEdits, planEdits }, { Rewrapper }, { recordOf }, { findHostKey }] =
    await Promise.all([
      import('../../config/options.ts'),
      import('../../config/resolve.ts'),
      import('../../config/edit/target.ts'),
      import('../../secrets/rewrap.ts'),
      import('../../secrets/machines.ts'),
      import('../../secrets/host-key.ts'),
    ]);
  const resolve = resolveOptions(options);
  const rewrapper = new Rewrapper(openingOf(resolve));
  // All of them first: one that cannot be opened leaves every file as it was.
  const work = planEdits(resolve).map((plan) => ({
    plan,
    changes: plan.targets.flatMap((target) => {
      const done = rewrapper.rewrap(target.field, target.value);
      const { file, line, column } = target;
      if (done.kind === 'failed') throw ScoutError.of({ ...done.fault, file, line, column });
      return done.kind === 'sealed' ? [{ ...target, to: done.token }] : [];
    }),
  }));
  const changed = work.filter(({ changes }) => changes.length > 0);
  if (changed.length === 0) {
    checkRest(resolveConfig(resolve).problems);
    return out.line('Nothing to do: every sealed value opens on this machine.');
  }
  try {
    rewrapper.note();
  } catch (error) {
    throw new ScoutError('HOST_MACHINES', { path: recordOf(findHostKey(openingOf(resolve))), detail: detailOf(error) });
  }
  for (const { plan, changes } of changed) {
    applyEdits(plan, changes);
    for (const { field, file } of changes) out.line(`${field} in ${file} is sealed to the machine id of today.`);
  }
  checkRest(resolveConfig(resolve).problems);
}

/** What is sealed to another machine id still stands where no command can change it. Throws EDIT_REFUSED. */
function checkRest(problems: Problem[]): void {
  const found = problems.find(({ code }) => code === 'SEALED_MACHINE');
  if (!found) return;
  const [, name = 'a value'] = found.message.split('`');
  const detail = 'it comes from a variable, or is part of a list in JSON; seal the plain value and put it there';
  throw new ScoutError('EDIT_REFUSED', { name, path: found.file ?? 'the environment', detail, field: 'NAME' });
}
