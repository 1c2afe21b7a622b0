import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type KeyFrom, Ladder, type Rung } from '../../src/agent/ladder.ts';

const rung = (fingerprint: string, from: KeyFrom): Rung => ({ fingerprint, from });
const QUIET = { edited: false, asked: false };
const ASKED = { edited: false, asked: true };
const EDITED = { edited: true, asked: true };

describe('the ladder', () => {
  it('reads once, then tries current, next, previous and quarantine in that order, each fingerprint once', () => {
    const kept = [rung('q', 'quarantine'), rung('p', 'previous'), rung('n', 'next'), rung('a', 'current'), rung('c', 'current')];
    const ladder = new Ladder('a', kept);
    expect(ladder.refused('a')).toBe('read');
    expect(ladder.refused('a')).toBe('stay');
    const tried: string[] = [];
    let move = ladder.read();
    while (move === 'try') {
      tried.push(ladder.inForce.fingerprint);
      move = ladder.refused(ladder.inForce.fingerprint);
    }
    expect({ tried, move, inForce: ladder.inForce, resting: ladder.resting }).toEqual({
      tried: ['c', 'n', 'p', 'q'],
      move: 'rest',
      inForce: rung('a', 'configuration'),
      resting: true,
    });
  });

  it('simply tries a configured key that is another by now', () => {
    const ladder = new Ladder('a', []);
    ladder.refused('a');
    expect(ladder.loaded('b', [], EDITED)).toBe('try');
    expect(ladder.read()).toBe('stay');
    expect(ladder.inForce).toEqual(rung('b', 'configuration'));
    expect(ladder.deciding).toBe(false);
  });

  it('stays with what it found until the configuration changes, and tells where that key stands by now', () => {
    const ladder = new Ladder('a', [rung('n', 'next')]);
    ladder.refused('a');
    ladder.read();
    expect(ladder.accepted('n')).toBe(true);
    expect(ladder.accepted('n')).toBe(false);
    expect(ladder.loaded('a', [rung('n', 'current')], ASKED)).toBe('stay');
    expect(ladder.inForce).toEqual(rung('n', 'current'));
    expect(ladder.loaded('a', [], ASKED)).toBe('stay');
    expect(ladder.inForce.fingerprint).toBe('n');
    expect(ladder.loaded('b', [], EDITED)).toBe('try');
    expect(ladder.inForce).toEqual(rung('b', 'configuration'));
  });

  it('begins a round with the configured key when all were refused and somebody asks', () => {
    const ladder = new Ladder('a', []);
    ladder.refused('a');
    expect(ladder.read()).toBe('rest');
    expect(ladder.loaded('a', [rung('n', 'next')], QUIET)).toBe('stay');
    expect(ladder.loaded('a', [rung('n', 'next')], ASKED)).toBe('try');
    expect(ladder.refused('a')).toBe('read');
    expect(ladder.read()).toBe('try');
    expect(ladder.inForce).toEqual(rung('n', 'next'));
  });

  it('does not try a configured key that its successor has ended, and says so once', () => {
    const next = { ...rung('n', 'next'), ended: 'a' };
    const ladder = new Ladder('a', []);
    expect(ladder.accepted('a')).toBe(false);
    expect(ladder.loaded('a', [next], QUIET)).toBe('try');
    expect(ladder.inForce).toEqual(next);
    expect([ladder.accepted('n'), ladder.accepted('n')]).toEqual([true, false]);
    expect(ladder.loaded('a', [next], ASKED)).toBe('stay');
    // The rotation goes on, or an operator puts in another key.
    expect(ladder.loaded('n', [rung('n', 'current')], EDITED)).toBe('try');
    expect(ladder.inForce).toEqual(rung('n', 'configuration'));
    expect(ladder.accepted('n')).toBe(false);
    expect(new Ladder('a', [next]).inForce).toEqual(next);
  });

  it('goes back to one that was not ended after all, and stays with it', () => {
    const next = { ...rung('n', 'next'), ended: 'a' };
    const ladder = new Ladder('', []);
    expect(ladder.loaded('a', [next], EDITED)).toBe('try');
    expect(ladder.refused('n')).toBe('read');
    expect(ladder.loaded('a', [next], QUIET)).toBe('stay');
    expect(ladder.read()).toBe('try');
    expect(ladder.inForce).toEqual(rung('a', 'configuration'));
    expect(ladder.accepted('a')).toBe(true);
    expect(ladder.loaded('a', [next], ASKED)).toBe('stay');
    expect(ladder.restart()).toBe('try');
    expect(ladder.inForce).toEqual(rung('a', 'configuration'));
  });

  it('is not moved by the answer to a key that is in force no longer', () => {
    const ladder = new Ladder('a', [rung('n', 'next')]);
    ladder.loaded('b', [rung('n', 'next')], EDITED);
    expect(ladder.refused('a')).toBe('stay');
    expect(ladder.accepted('a')).toBe(false);
    expect(ladder.inForce.fingerprint).toBe('b');
  });
});

/* A service that takes some keys, a keyring and a configuration that anybody may change at any time, and one sender. */

const KEYS = ['a', 'b', 'c', 'd', 'e'];
const SLOTS: KeyFrom[] = ['current', 'next', 'previous', 'quarantine'];
const rungs = fc.array(
  fc.record(
    { fingerprint: fc.constantFrom(...KEYS), from: fc.constantFrom(...SLOTS), ended: fc.constantFrom(...KEYS) },
    { requiredKeys: ['fingerprint', 'from'] },
  ),
  { maxLength: 6 },
);

interface Model {
  configured: string;
  kept: Rung[];
  good: Set<string>;
  /** What was refused since the last reading that began a round. */
  round: string[];
}
interface Real {
  ladder: Ladder;
  /** The key of the request under way. */
  flight: string | undefined;
  reading: boolean;
}

/** What the agent does with a move. */
function obey(move: string, model: Model, real: Real): void {
  if (move === 'read') {
    expect(real.reading).toBe(false);
    real.reading = true;
    model.round = [];
  }
  if (move === 'rest') {
    // Nothing that is known now was left out, and the configured key has the next turn.
    const known = [model.configured, ...model.kept.map(({ fingerprint }) => fingerprint)];
    expect(real.ladder.inForce).toEqual(rung(model.configured, 'configuration'));
    for (const one of known) expect([...model.round, real.flight]).toContain(one);
  }
}

class Send implements fc.Command<Model, Real> {
  check = () => true;
  run(_: Model, real: Real): void {
    if (!real.reading) real.flight ??= real.ladder.inForce.fingerprint;
  }
  toString = () => 'send';
}

class Answer implements fc.Command<Model, Real> {
  check = () => true;
  run(model: Model, real: Real): void {
    const by = real.flight;
    if (by === undefined) return;
    const before = real.ladder.inForce;
    if (model.good.has(by)) {
      real.ladder.accepted(by);
      expect(real.ladder.inForce).toEqual(before);
    } else {
      const fresh = !real.ladder.deciding;
      const move = real.ladder.refused(by);
      if (by !== before.fingerprint) expect(move).toBe('stay');
      else if (!fresh) expect(model.round).not.toContain(by);
      obey(move, model, real);
      if (by === before.fingerprint) model.round.push(by);
    }
    real.flight = undefined;
  }
  toString = () => 'answer';
}

class Read implements fc.Command<Model, Real> {
  check = () => true;
  run(model: Model, real: Real): void {
    if (!real.reading) return;
    real.reading = false;
    obey(real.ladder.loaded(model.configured, model.kept, QUIET), model, real);
    obey(real.ladder.read(), model, real);
  }
  toString = () => 'read';
}

class Edit implements fc.Command<Model, Real> {
  readonly key: string;
  constructor(key: string) {
    this.key = key;
  }
  check = () => true;
  run(model: Model, real: Real): void {
    if (this.key === model.configured) return;
    model.configured = this.key;
    model.round = [];
    expect(real.ladder.loaded(this.key, model.kept, EDITED)).toBe('try');
    const { inForce } = real.ladder;
    if (inForce.ended === undefined) expect(inForce).toEqual(rung(this.key, 'configuration'));
    else expect(inForce.ended).toBe(this.key);
  }
  toString = () => `edit(${this.key})`;
}

class Keep implements fc.Command<Model, Real> {
  readonly kept: Rung[];
  constructor(kept: Rung[]) {
    this.kept = kept;
  }
  check = () => true;
  run(model: Model, real: Real): void {
    model.kept = this.kept;
    const before = real.ladder.inForce.fingerprint;
    const asked = real.ladder.loaded(model.configured, model.kept, ASKED);
    if (asked === 'try') model.round = [];
    else expect(real.ladder.inForce.fingerprint).toBe(before);
  }
  toString = () => `keep(${JSON.stringify(this.kept)})`;
}

class Judge implements fc.Command<Model, Real> {
  readonly good: string[];
  constructor(good: string[]) {
    this.good = good;
  }
  check = () => true;
  run(model: Model): void {
    model.good = new Set(this.good);
  }
  toString = () => `judge(${this.good})`;
}

/** Requests, answers and readings, until a request is accepted or all that can be tried was. */
function settle(model: Model, real: Real): void {
  for (let step = 0; step < 40; step++) {
    new Read().run(model, real);
    new Send().run(model, real);
    const by = real.flight as string;
    new Answer().run(model, real);
    if (model.good.has(by) && by === real.ladder.inForce.fingerprint) return;
  }
}

it('finds a good key whenever there is one, whatever happened before, and tries none twice in a round', () => {
  const commands = fc.commands(
    [
      fc.constant(new Send()),
      fc.constant(new Answer()),
      fc.constant(new Read()),
      fc.constantFrom(...KEYS).map((key) => new Edit(key)),
      rungs.map((kept) => new Keep(kept)),
      fc.subarray(KEYS).map((good) => new Judge(good)),
    ],
    { maxCommands: 60 },
  );
  fc.assert(
    fc.property(commands, (list) => {
      const model: Model = { configured: 'a', kept: [], good: new Set(['a']), round: [] };
      const real: Real = { ladder: new Ladder('a', []), flight: undefined, reading: false };
      fc.modelRun(() => ({ model, real }), list);
      settle(model, real);
      const known = [model.configured, ...model.kept.map(({ fingerprint }) => fingerprint)];
      const possible = known.some((one) => model.good.has(one));
      if (possible) expect(model.good).toContain(real.ladder.inForce.fingerprint);
    }),
    { numRuns: 1_000 },
  );
});
