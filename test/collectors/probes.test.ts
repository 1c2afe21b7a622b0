import { describe, expect, it } from 'vitest';
import { Probes, type Space } from '../../src/collectors/probes.ts';

const SPACE: Space = { bsize: 1, blocks: 4, bfree: 2, bavail: 2, files: 2, ffree: 1 };

/** File systems that answer when told to; `asked` counts the calls on each. */
function bench() {
  const waiting = new Map<string, (answer: Space | Error) => void>();
  const asked: string[] = [];
  const probes = new Probes((path) => {
    asked.push(path);
    if (path.startsWith('/ok')) return Promise.resolve(SPACE);
    const { promise, resolve, reject } = Promise.withResolvers<Space>();
    waiting.set(path, (answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
    return promise;
  });
  const answer = async (path: string, value: Space | Error = SPACE) => {
    waiting.get(path)?.(value);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { probes, asked, answer };
}

describe('Probes', () => {
  it('asks all that answer, two at a time', async () => {
    const { probes } = bench();
    const paths = ['/ok1', '/ok2', '/ok3', '/ok4', '/ok5'];
    expect([...(await probes.ask(paths, 10_000)).keys()].sort()).toEqual(paths);
    expect(probes.hung).toBe(0);
  });

  it('asks nobody twice while a call is outstanding, and again once it returned', async () => {
    const { probes, asked, answer } = bench();
    expect((await probes.ask(['/dead'], 1)).size).toBe(0);
    expect((await probes.ask(['/dead'], 1)).size).toBe(0);
    expect(asked).toEqual(['/dead']);
    expect(probes.hung).toBe(1);
    await answer('/dead');
    expect(probes.hung).toBe(0);
    expect((await probes.ask(['/dead'], 1)).size).toBe(0);
    expect(asked).toEqual(['/dead', '/dead']);
    await answer('/dead');
  });

  it('never has more than two calls outstanding, and still asks the living while one hangs', async () => {
    const { probes, asked } = bench();
    const answers = await probes.ask(['/dead1', '/ok1', '/ok2'], 20);
    expect([...answers.keys()].sort()).toEqual(['/ok1', '/ok2']);
    await probes.ask(['/dead2', '/dead1', '/dead3'], 1);
    await probes.ask(['/dead3', '/dead4'], 1);
    expect(probes.hung).toBe(2);
    expect(asked.filter((path) => path.startsWith('/dead'))).toHaveLength(2);
  });

  it('tells a refusal from silence', async () => {
    const { probes, answer } = bench();
    const asking = probes.ask(['/gone'], 10_000);
    await answer('/gone', Object.assign(new Error('EACCES'), { code: 'EACCES' }));
    expect((await asking).get('/gone')).toBeInstanceOf(Error);
  });

  it('keeps a late answer out of the sample that did not wait for it', async () => {
    const { probes, answer } = bench();
    const first = await probes.ask(['/slow'], 1);
    await answer('/slow');
    expect(first.size).toBe(0);
  });
});
