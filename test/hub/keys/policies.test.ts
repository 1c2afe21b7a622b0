import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowOf } from '../../../src/hub/keys/changes.ts';
import { mintId, openMint, sealMint } from '../../../src/hub/keys/mints.ts';
import {
  add,
  bringIn,
  type Change,
  changed,
  enable,
  find,
  remove,
  rename,
  retire,
  retirePrevious,
  works,
} from '../../../src/hub/keys/policies.ts';
import type { Policy, ServerKey } from '../../../src/hub/store/store.ts';
import { hash } from '../store/store-suite.ts';

const HOUR = 3_600_000;
const T = 1_000 * HOUR;
const server = (policy: Policy, graceMs = 24 * HOUR) => ({ name: 'web-1', policy, graceMs });
const made = (over: Partial<ServerKey> = {}): ServerKey => ({ ...rowOf('s', hash(), 1), ...over });
const fresh = () => made({ createdAt: T });
const byId = (keys: ServerKey[], key: ServerKey) => keys.find((one) => one.id === key.id);

describe('a new key', () => {
  it('immediate: every other key is dead at once', () => {
    const [old, previous, key] = [made(), made({ slot: 'previous' }), fresh()];
    expect(bringIn(server('immediate'), [old, previous], key, T, old)).toEqual({ put: [key], drop: [old.id, previous.id] });
  });

  it('grace: the current key has a window, the previous one is dead', () => {
    const [old, previous, key] = [made(), made({ slot: 'previous', validUntil: T + HOUR }), fresh()];
    expect(bringIn(server('grace'), [old, previous], key, T, old)).toEqual({
      put: [key, { ...old, slot: 'previous', validUntil: T + 24 * HOUR }],
      drop: [previous.id],
    });
    expect(bringIn(server('grace', 0), [old], key, T, old)).toEqual({ put: [key], drop: [old.id] });
  });

  it('grace, asked for with the previous key: that one keeps a whole window, and so does the current', () => {
    const [lost, mine, key] = [made(), made({ slot: 'previous', validUntil: T + 1 }), fresh()];
    const after = changed([lost, mine], bringIn(server('grace'), [lost, mine], key, T, mine));
    expect(byId(after, mine)).toMatchObject({ slot: 'previous', validUntil: T + 24 * HOUR });
    expect(byId(after, lost)).toMatchObject({ slot: 'previous', validUntil: T + 24 * HOUR });
    const longer = { ...mine, validUntil: T + 48 * HOUR };
    const kept = changed([lost, longer], bringIn(server('grace'), [lost, longer], key, T, longer));
    expect(byId(kept, mine)?.validUntil).toBe(T + 48 * HOUR);
  });

  it('multi: all go on, the former current one is called previous; what is over goes', () => {
    const [old, next, over, key] = [made(), made({ slot: 'next' }), made({ slot: 'previous', validUntil: T }), fresh()];
    const { put, drop } = bringIn(server('multi'), [old, next, over], key, T);
    expect({ put, drop }).toEqual({ put: [key, { ...old, slot: 'previous', validUntil: null }], drop: [over.id] });
  });
});

/** What may happen to a server, and a moment later. */
const step = fc.record({
  kind: fc.constantFrom('ask', 'askLost', 'rotate', 'retire', 'retirePrevious', 'add', 'disable', 'enable', 'delete'),
  pick: fc.nat(7),
  wait: fc.integer({ min: 0, max: 30 * HOUR }),
});

it('at every instant one key works, and after asking the key that asked is never cut off early', () => {
  const policies = fc.constantFrom<Policy>('immediate', 'grace', 'multi');
  const graces = fc.constantFrom(0, 1, HOUR, 24 * HOUR);
  fc.assert(
    fc.property(policies, graces, fc.array(step, { maxLength: 25 }), (policy, graceMs, steps) => {
      const rules = server(policy, graceMs);
      let now = T;
      let keys = [made()];
      /** The key that the agent has: what it asks with, unless that is dead; then whoever operates hands it a new one. */
      let agent = keys[0] as ServerKey;
      const act = (change: Change) => {
        keys = changed(keys, change);
      };
      for (const { kind, pick, wait } of steps) {
        const mine = byId(keys, agent);
        const key = made({ createdAt: now });
        const some = keys[pick % keys.length] as ServerKey;
        const alive = mine !== undefined && works(mine, now);
        if (kind === 'rotate') act(bringIn(rules, keys, key, now));
        if ((kind === 'ask' || kind === 'askLost') && mine && alive) {
          act(bringIn(rules, keys, key, now, mine));
          const left = byId(keys, mine);
          if (policy === 'multi') expect(left).toMatchObject({ validUntil: mine.validUntil });
          else if (policy === 'immediate' || graceMs === 0) expect(left).toBeUndefined();
          else expect(left?.validUntil).toBeGreaterThanOrEqual(Math.max(now + graceMs, mine.validUntil ?? 0));
          if (kind === 'ask' || !left) agent = key;
        }
        if (kind === 'retire' && mine && alive && some.id !== mine.id) {
          act(retire(keys, some.hash.slice(0, 12), mine, now));
          expect(byId(keys, some)).toBeUndefined();
          expect(works(byId(keys, mine) as ServerKey, now)).toBe(true);
        }
        const careful = (decide: () => Change) => {
          try {
            act(decide());
          } catch (error) {
            expect(['HUB_KEY_LAST', 'HUB_KEY_POLICY']).toContain((error as { code: string }).code);
          }
        };
        if (kind === 'retirePrevious') careful(() => retirePrevious(rules, keys, now));
        if (kind === 'add') careful(() => add(rules, keys, key, now));
        if (kind === 'disable' || kind === 'enable') careful(() => enable(rules, keys, some.hash.slice(0, 12), kind === 'enable', now));
        if (kind === 'delete') careful(() => remove(rules, keys, some.hash.slice(0, 12), now));

        expect(keys.some((one) => works(one, now))).toBe(true);
        expect(keys.filter((one) => one.slot === 'current').length).toBeLessThanOrEqual(1);
        expect(new Set(keys.map((one) => one.hash)).size).toBe(keys.length);
        if (policy === 'immediate') expect(keys).toHaveLength(1);
        if (policy === 'grace') {
          expect(keys.length).toBeLessThanOrEqual(3);
          // The one without an end works for ever: nobody has to come back in time.
          expect(keys.filter((one) => one.validUntil === null)).toMatchObject([{ slot: 'current' }]);
        }
        now += wait;
        expect(keys.some((one) => works(one, now))).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});

describe('retire', () => {
  it('of the current key by the previous one puts that in its place for good', () => {
    const [current, mine] = [made(), made({ slot: 'previous', validUntil: T + HOUR })];
    expect(retire([current, mine], current.hash.slice(0, 12), mine, T)).toEqual({
      put: [{ ...mine, slot: 'current', validUntil: null }],
      drop: [current.id],
    });
  });

  it('never ends the key that asks', () => {
    const mine = made();
    expect(retire([mine], mine.hash.slice(0, 12), mine, T)).toEqual({ put: [], drop: [] });
  });

  it('of previous keys leaves the last key that works', () => {
    const [off, previous, over] = [made({ enabled: false }), made({ slot: 'previous' }), made({ slot: 'previous', validUntil: T })];
    expect(() => retirePrevious(server('multi'), [off, previous], T)).toThrow(expect.objectContaining({ code: 'HUB_KEY_LAST' }));
    expect(retirePrevious(server('multi'), [made(), previous, over], T).drop).toEqual([previous.id, over.id]);
    expect(retirePrevious(server('multi'), [off, over], T).drop).toEqual([over.id]);
  });
});

describe('keys of multi', () => {
  const multi = server('multi');
  const code = (code: string) => expect.objectContaining({ code });

  it('are added, named, switched, deleted; other policies have none of it', () => {
    const [one, two] = [made(), made({ name: 'two', slot: 'next' })];
    expect(add(multi, [one], { ...two, slot: 'current' }, T).put).toEqual([two]);
    expect(rename(multi, [one, two], 'two', 'second').put).toEqual([{ ...two, name: 'second' }]);
    expect(rename(multi, [one, two], 'two', 'two').put).toEqual([two]);
    expect(enable(multi, [one, two], 'two', false, T).put).toEqual([{ ...two, enabled: false }]);
    expect(remove(multi, [one, two], one.hash.slice(0, 12), T).drop).toEqual([one.id]);
    for (const policy of ['grace', 'immediate'] as const) {
      const rules = server(policy);
      for (const ask of [
        () => add(rules, [one], two, T),
        () => rename(rules, [one], 'x', 'y'),
        () => enable(rules, [one], 'x', true, T),
        () => remove(rules, [one], 'x', T, true),
      ])
        expect(ask).toThrow(code('HUB_KEY_POLICY'));
    }
  });

  it('give the place of the current one to that which was used last', () => {
    const [current, two, three, off] = [
      made(),
      made({ slot: 'previous', lastUsed: T - 2 }),
      made({ slot: 'previous', lastUsed: T - 1 }),
      made({ slot: 'previous', lastUsed: T, enabled: false }),
    ];
    const all = [current, two, three, off];
    expect(remove(multi, all, current.hash.slice(0, 12), T)).toEqual({ put: [{ ...three, slot: 'current' }], drop: [current.id] });
    expect(remove(multi, all, two.hash.slice(0, 12), T)).toEqual({ put: [], drop: [two.id] });
    expect(remove(multi, [current, off], current.hash.slice(0, 12), T, true)).toEqual({ put: [], drop: [current.id] });
  });

  it('that are the last are kept unless forced', () => {
    const [one, off] = [made({ name: 'one' }), made({ enabled: false })];
    expect(() => remove(multi, [one, off], 'one', T)).toThrow(code('HUB_KEY_LAST'));
    expect(() => enable(multi, [one, off], 'one', false, T)).toThrow(code('HUB_KEY_LAST'));
    expect(remove(multi, [one, off], 'one', T, true).drop).toEqual([one.id]);
    expect(enable(multi, [one, off], 'one', false, T, true).put).toHaveLength(1);
  });

  it('have names of their own, that are no keys and no fingerprints; what was pasted by mistake is not repeated', () => {
    const one = made({ name: 'one' });
    expect(() => add(multi, [one], made({ name: 'one' }), T)).toThrow(code('HUB_KEY_NAMED'));
    for (const name of ['', '-x', 'a b', 'x'.repeat(64), hash(), hash().slice(0, 12)])
      expect(() => add(multi, [one], made({ name }), T)).toThrow(code('HUB_KEY_NAME'));
    const pasted = hash();
    expect(() => find(multi, [one], pasted)).toThrow(expect.objectContaining({ message: expect.not.stringContaining(pasted) }));
    expect(() => find(multi, [one], 'two')).toThrow(/`two`/);
  });
});

describe('a minted key', () => {
  it('is opened by the old key and the Idempotency-Key together, and by nothing else', () => {
    const text = () => randomBytes(32).toString('hex');
    fc.assert(
      fc.property(fc.string({ minLength: 16, maxLength: 128 }), fc.nat(1_000), (idempotencyKey, at) => {
        const [key, old] = [text(), text()];
        const sealed = sealMint(key, old, idempotencyKey);
        expect(openMint(sealed, old, idempotencyKey)).toBe(key);
        expect(Buffer.from(sealed).includes(key)).toBe(false);
        expect(() => openMint(sealed, text(), idempotencyKey)).toThrow();
        expect(() => openMint(sealed, old, `${idempotencyKey}x`)).toThrow();
        const spoilt = Uint8Array.from(sealed);
        spoilt[at % spoilt.length]! ^= 1;
        expect(() => openMint(spoilt, old, idempotencyKey)).toThrow();
      }),
      { numRuns: 30 },
    );
  });

  it('is kept under an id that no other pair has', () => {
    expect(mintId('a', 'bc')).not.toBe(mintId('ab', 'c'));
    expect(mintId('a', 'b')).toMatch(/^[0-9a-f]{64}$/);
  });
});
