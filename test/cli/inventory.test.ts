import { expect, it } from 'vitest';
import { AGENT, run } from '../helpers/programs.ts';

// As the daemon asks for it: the roots in the arguments, one document on stdout.
it('inventory prints what the host is, read below the roots it is given', async () => {
  const done = await run(AGENT, ['inventory', '--json', '--proc', '/proc', '--sys', '/sys', '--root', '/']);
  expect(done, done.stderr).toMatchObject({ status: 0 });
  expect(JSON.parse(done.stdout)).toMatchObject({ 'os.type': process.platform, 'scout.memory.total': expect.any(Number) });
});
