import { describe, expect, it } from 'vitest';
import { PRIMARY } from '../../src/agent/deliveries.ts';
import { Outcomes } from '../../src/agent/outcomes.ts';
import type { Outcome } from '../../src/delivery/heartbeats.ts';

const refused = (by: string): Outcome => ({ kind: 'unauthorized', detail: `refused ${by}`, by });
const accepted = (by: string): Outcome => ({ kind: 'accepted', accepted: 1, duplicates: 0, by });

describe('what listeners are told of a search through several keys', () => {
  const listening = () => {
    const outcomes = new Outcomes(() => 'configured');
    const told: [Outcome, boolean][] = [];
    outcomes.listen((_, __, outcome, final) => told.push([outcome, final]));
    return { outcomes, told };
  };

  it('ends with the refusal of the configured key, whichever key was the last', () => {
    const { outcomes, told } = listening();
    outcomes.tell(PRIMARY, [], refused('current'), false);
    outcomes.tell(PRIMARY, [], refused('configured'), false);
    outcomes.tell(PRIMARY, [], refused('previous'), true);
    expect(told.map(([, final]) => final)).toEqual([false, false, true]);
    expect(told.at(-1)?.[0]).toEqual(refused('configured'));
    // Of that search nothing is left.
    outcomes.tell(PRIMARY, [], refused('other'), true);
    expect(told.at(-1)?.[0]).toEqual(refused('other'));
  });

  it('ends with the refusal that it began with, where there was no other key', () => {
    const { outcomes, told } = listening();
    outcomes.tell(PRIMARY, [], refused('configured'), false);
    outcomes.finish();
    outcomes.finish();
    expect(told).toEqual([
      [refused('configured'), false],
      [refused('configured'), true],
    ]);
  });

  it('ends with the key that is taken; what other destinations say is no part of it', () => {
    const { outcomes, told } = listening();
    outcomes.tell(PRIMARY, [], refused('configured'), false);
    outcomes.tell('elsewhere', [], refused('x'), true);
    outcomes.tell(PRIMARY, [], accepted('previous'), true);
    outcomes.finish();
    expect(told.map(([outcome]) => outcome)).toEqual([refused('configured'), refused('x'), accepted('previous')]);
  });
});
