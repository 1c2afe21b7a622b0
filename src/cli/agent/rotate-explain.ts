import { join } from 'node:path';
import type { CommandOptions } from '../../config/options.ts';
import { resolveOptions } from '../../config/options.ts';
import { KEYRING } from '../../credentials/keyring.ts';
import { readKeyring } from '../../credentials/keyring-file.ts';
import { fingerprintOf } from '../../credentials/values.ts';
import { ConfiguredFiles } from '../../rotation/configured.ts';
import { explain, explainText } from '../../rotation/explain.ts';
import { ScoutError } from '../../support/errors.ts';
import { out } from '../output.ts';
import { findPlaces } from './running.ts';

/** `rotate --explain`: asks nobody, changes nothing, and works with a configuration that does not pass its check. */
export async function explainRotation(options: CommandOptions & { json?: boolean }): Promise<void> {
  const { state } = await findPlaces(options);
  const told = explain(readKeyring(join(state, KEYRING)), { configured: configuredKey(options), now: Date.now() });
  if (options.json) out.json(told);
  else out.line(explainText(told));
}

function configuredKey(options: CommandOptions): string | null {
  try {
    return fingerprintOf(new ConfiguredFiles(resolveOptions(options)).read());
  } catch (error) {
    if (error instanceof ScoutError) return null;
    throw error;
  }
}
