import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { statusBecomes } from '../helpers/agent-life.ts';
import type { Hunt } from './hunt.ts';
import { addServer, daemon, own } from './run.ts';

/* What is meant to be sent to others: `doctor` and `bundle`, over whatever the hunt has left. */

/** Both for each configuration of the hunt, which is also given out for the log: then every secret of it stands in a file that is sent. */
export async function maintenance(hunt: Hunt): Promise<number> {
  const configs = readdirSync(hunt.bench.folder).filter((name) => /^conf-.*\.(yml|toml|env)$/.test(name));
  const path = hunt.path('bundle.tar.gz');
  for (const [index, name] of configs.entries()) {
    const config = hunt.path(name);
    // One costs seconds, and a configuration in three is of every kind all the same.
    if (index % 3 === 0) await hunt.agent('doctor', ['doctor', ...(index % 2 === 0 ? ['--json'] : []), '--config', config]);
    if (index % 3 !== 1) continue;
    const { status, stderr } = await hunt.agent('bundle', ['bundle', path, '--config', config, '--log-file', config]);
    expect(status, stderr).toBe(0);
    hunt.note(`bundle of ${name}`, gunzipSync(readFileSync(path)).toString('latin1'));
    rmSync(path);
  }
  const config = own(hunt, 'bundled', await addServer(hunt, 'bundled'));
  const agent = await daemon(hunt, 'daemon, bundled', config);
  await statusBecomes(config, ({ last_accepted }) => last_accepted !== null);
  await hunt.agent('doctor of a daemon', ['doctor', '--config', config]);
  expect((await hunt.agent('bundle', ['bundle', path, '--config', config, '--log-file', config])).status).toBe(0);
  hunt.note('bundle of a daemon', gunzipSync(readFileSync(path)).toString('latin1'));
  await agent.end();
  return configs.length;
}
