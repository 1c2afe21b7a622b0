import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { doBounded, type Gathered, runBounded } from '../../../src/cli/bundle/bounded.ts';
import { makeBundle } from '../../../src/cli/bundle/bundle.ts';
import type { Known } from '../../../src/cli/bundle/secrets.ts';
import type { Step } from '../../../src/cli/bundle/steps.ts';

const step = (file: string, gather: Step['gather'], more: Partial<Step> = {}): Step => ({ file, about: file, gather, ...more });
const said = (text: string): Promise<Gathered> => Promise.resolve({ text: Buffer.from(text) });
const none: Known = { secrets: [], failed: [] };
const make = async (steps: Step[], known = none, limits = { stepMs: 1_000, wholeMs: 5_000, bytes: 1 << 20 }) => {
  const told: string[] = [];
  const { archive, manifest } = await makeBundle(steps, Promise.resolve(known), (text) => told.push(text), limits);
  return { content: gunzipSync(archive).toString('latin1'), manifest, told, archive };
};

describe('a bundle', () => {
  it('lists what is in it, and what is not', async () => {
    const secret = randomBytes(32).toString('hex');
    const { content, manifest, told } = await make(
      [
        step('good.txt', () => said(`with ${secret} in it`)),
        step('bad.txt', () => Promise.resolve({ text: Buffer.from('said'), problem: 'exit 1' })),
        step('binary.txt', () => said('\0')),
        step('empty.txt', () => said('')),
      ],
      { secrets: [Buffer.from(secret)], failed: [] },
    );
    expect(manifest.files).toMatchObject([
      { name: 'good.txt', bytes: 21, redacted: { known: 1, patterns: 0 } },
      { name: 'bad.txt', bytes: 4, problem: 'exit 1' },
      { name: 'binary.txt', bytes: 0, left_out: expect.stringContaining('no text') },
      { name: 'empty.txt', left_out: 'it is empty' },
    ]);
    expect(content).toContain('with [redacted] in it');
    expect(content).not.toContain(secret);
    expect(content.indexOf('manifest.json')).toBeLessThan(content.indexOf('good.txt'));
    expect(told).toHaveLength(3);
  });

  it('leaves out what others wrote, where not every secret could be read', async () => {
    const { manifest, content } = await make(
      [step('log.txt', () => said('a line of the log'), { foreign: true }), step('own.json', () => said('{}'))],
      {
        secrets: [],
        failed: ['/etc/scout-agent/config.yml: EACCES'],
      },
    );
    expect(manifest.files).toMatchObject([{ left_out: expect.stringContaining('run it as root') }, { bytes: 2 }]);
    expect(manifest.looked_for.failed).toHaveLength(1);
    expect(content).not.toContain('a line of the log');
  });

  it('stays within its size', async () => {
    const random = () => said(randomBytes(300_000).toString('latin1').replaceAll('\0', ' '));
    const { manifest, archive } = await make([step('1', random), step('2', random), step('3', random), step('4', random)]);
    expect(manifest.files.filter(({ left_out }) => left_out === 'the bundle would get too large').length).toBeGreaterThan(0);
    expect(archive.length).toBeLessThan(1 << 20);
  });

  it('begins nothing once its time is over', async () => {
    const late = step('late', () => said('x'));
    const { manifest } = await make([late], none, { stepMs: 1, wholeMs: 0, bytes: 100 });
    expect(manifest.files).toMatchObject([{ left_out: 'there was no time left' }]);
  });

  it('cannot be held up by a command that does not end, nor by one that says too much', async () => {
    const stuck = await runBounded('sh', ['-c', 'echo begun; exec sleep 600'], 300);
    expect(stuck).toMatchObject({ problem: expect.stringContaining('killed') });
    expect(String(stuck.text)).toBe('begun\n');
    const loud = await runBounded('sh', ['-c', 'yes a line | head -c 5000000'], 20_000);
    expect(loud.cut).toBe(true);
    expect(loud.text.length).toBeLessThanOrEqual((2 << 20) + 65_536);
    expect(String(loud.text.subarray(-7))).toBe('a line\n');
    expect(await runBounded('sh', ['-c', 'echo "error AUDIT_ABSENT: there is none" >&2; exit 1'], 20_000)).toMatchObject({
      problem: 'exit 1 (AUDIT_ABSENT)',
    });
    expect(await runBounded('/nowhere/at/all', [], 1_000)).toMatchObject({ problem: expect.stringContaining('ENOENT') });
    expect(await runBounded('sh', ['-c', 'echo why >&2; exit 3'], 5_000)).toMatchObject({ problem: 'exit 3', text: Buffer.from('why\n') });
  });

  it('cannot be held up by a file that does not answer', async () => {
    let late = false;
    const never = new Promise<Gathered>(() => {});
    expect(
      await doBounded(
        () => never,
        20,
        () => (late = true),
      ),
    ).toMatchObject({ problem: expect.stringContaining('no end of it') });
    expect(late).toBe(true);
  });
});
