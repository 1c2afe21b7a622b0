import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './root.ts';

/**
 * A maintainer script, named by its path below packaging/, as it goes into a package: each line `# include NAME` gives
 * way to packaging/shell/NAME.sh, so that what several formats do has one source.
 */
export function maintainerScript(path: string): string {
  const read = (file: string): string => readFileSync(join(root, 'packaging', file), 'utf8');
  return read(path).replace(/^# include (\S+)\n/gm, (_, name: string) => read(`shell/${name}.sh`));
}
