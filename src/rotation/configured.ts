import { statSync } from 'node:fs';
import { editText } from '../config/edit/edit.ts';
import { tryReplacing } from '../config/edit/replace.ts';
import { applyEdits, type Plan, planEdits, type Target } from '../config/edit/target.ts';
import { openingOf, type ResolveOptions, resolveConfig } from '../config/resolve.ts';
import { authOf } from '../credentials/create.ts';
import { parsePrivateKey } from '../credentials/private-key.ts';
import { SECRET_VALUES, sameValues, type Values, valuesOf } from '../credentials/values.ts';
import { isSealed } from '../secrets/envelope.ts';
import { isReference } from '../secrets/open.ts';
import { sealHere } from '../secrets/seal.ts';
import { ScoutError } from '../support/errors.ts';
import type { ConfiguredKey } from './ports.ts';

/** How often another editor may come between reading a file and replacing it. */
const RACES = 5;
/** Text in the shape of what will be written, to try an edit with. */
const PROBE = 'a'.repeat(64);

/** The credential in the files of a configuration. */
export class ConfiguredFiles implements ConfiguredKey {
  readonly #options: ResolveOptions;

  constructor(options: ResolveOptions) {
    this.#options = options;
  }

  read(): Values {
    const { config, problems } = resolveConfig(this.#options);
    if (config) return valuesOf(config.api, authOf(config.api) === 'jwt' || config.api.key === undefined);
    const fault = problems.find(({ severity }) => severity === 'error');
    throw fault ? ScoutError.of(fault) : new ScoutError('INTERNAL', { detail: 'a configuration without a fault is none' });
  }

  changedAt(): number {
    const file = this.#secret()?.original.path;
    return file === undefined ? Date.now() : statSync(file).mtimeMs;
  }

  /** Whether its secret is sealed where it stands. */
  isSealed(): boolean {
    return this.#secret()?.targets.some(({ value }) => isSealed(value)) ?? false;
  }

  check(names: string[]): void {
    const { original, targets } = this.#plan(names);
    const [first] = targets as [Target];
    const refuse = (detail: string, { field, file } = first) => new ScoutError('EDIT_REFUSED', { name: field, path: file, detail, field });
    for (const target of targets) {
      if (isReference(target.value) && !isSealed(target.value)) throw refuse('it only points at the secret', target);
      const edited = editText(target.format, original.text, { ...target, to: PROBE });
      if (!edited.ok) throw refuse(edited.detail, target);
    }
    tryReplacing(original, refuse);
  }

  replace(expected: Values, values: Values): 'done' | 'overtaken' {
    const names = Object.keys(values).filter((name) => values[name] !== expected[name]);
    for (let race = 1; ; race++) {
      const plan = this.#plan(names);
      if (!sameValues(this.read(), expected)) return 'overtaken';
      const changes = plan.targets.map((target) => ({ ...target, to: this.#form(target, values[target.field] as string) }));
      try {
        applyEdits(plan, changes);
        break;
      } catch (error) {
        if (!(error instanceof ScoutError) || error.code !== 'EDIT_RACE' || race === RACES) throw error;
      }
    }
    return sameValues(this.read(), values) ? 'done' : 'overtaken';
  }

  /** The one file in which all of these stand. Throws EDIT_REFUSED, ROTATE_PLACES. */
  #plan(names: string[]): Plan {
    const plans = planEdits(this.#options, names);
    const [plan] = plans;
    if (!plan) throw new ScoutError('INTERNAL', { detail: `${names.join(', ')} stand nowhere` });
    if (plans.length > 1) throw new ScoutError('ROTATE_PLACES', { names: names.join(', ') });
    return plan;
  }

  /** Where the secret stands; undefined when in no file that could be changed. */
  #secret(): Plan | undefined {
    try {
      const names = Object.keys(this.read()).filter((name) => SECRET_VALUES.includes(name));
      return this.#plan(names);
    } catch (error) {
      if (error instanceof ScoutError) return undefined;
      throw error;
    }
  }

  /** A value as it shall stand there: sealed where it was, and a private key in PEM where it had a file to itself. */
  #form({ field, format, value }: Target, text: string): string {
    if (isSealed(value)) {
      const made = sealHere(field, text, openingOf(this.#options));
      if ('fault' in made) throw ScoutError.of(made.fault);
      return made.token;
    }
    if (format !== 'text' || !value.startsWith('-----BEGIN')) return text;
    return String(parsePrivateKey(text, field).key.export({ format: 'pem', type: 'pkcs8' })).trimEnd();
  }
}
