import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FILTERS, fleetUrl, PAGE_SIZE, parseFleetQuery, SORTS, viewFleet } from '../../../src/hub/pages/fleet.ts';
import { fleetTitle } from '../../../src/hub/pages/fleet-page.ts';
import type { FleetRow } from '../../../src/hub/store/store.ts';

const NOW = 10_000_000;
const row = (name: string, age: number | null, more: Partial<FleetRow> = {}): FleetRow => ({
  server: { id: name, org: 'default', name, policy: 'grace', graceMs: 0, createdAt: 1 },
  key: null,
  latest:
    age === null
      ? null
      : { time: NOW - age, received: NOW - age, interval: 10, agentVersion: '0.1.0', hostName: `host-${name}`, aliveSince: 0 },
  accepted: 0,
  refusedAt: null,
  ...more,
});
const query = (text = '') => parseFleetQuery(new URLSearchParams(text));
const names = (rows: FleetRow[], text: string) => viewFleet(rows, query(text), NOW).lines.map((line) => line.server.name);

const rows = [row('web-10', 0), row('web-9', 1_000), row('old', 500_000), row('slow', 40_000), row('new', null)];

describe('the fleet', () => {
  it('shows the worst first, and names with numbers as people count', () => {
    expect(names(rows, '')).toEqual(['old', 'slow', 'new', 'web-9', 'web-10']);
    expect(names(rows, 'sort=name')).toEqual(['new', 'old', 'slow', 'web-9', 'web-10']);
    // Of the silent the one that was heard last: the others have been known for longer.
    expect(names([row('gone', 9e6), row('fell', 200_000), ...rows], 'state=silent')).toEqual(['fell', 'old', 'gone']);
    expect(names(rows, 'sort=seen')).toEqual(['web-10', 'web-9', 'slow', 'old', 'new']);
  });

  it('counts all states, whatever is searched for', () => {
    const view = viewFleet(rows, query('q=web'), NOW);
    expect(view.counts).toEqual({ alive: 2, late: 1, silent: 1, never: 1, refused: 0 });
    expect([view.found, view.total]).toEqual([2, 5]);
  });

  it('finds by name, host, version and fingerprint', () => {
    const keyed = [...rows, row('k', 0, { key: { fingerprint: 'abcdef012345', slot: 'current', createdAt: 1 } })];
    expect(names(keyed, 'q=ABCDEF')).toEqual(['k']);
    expect(names(rows, 'q=host-old')).toEqual(['old']);
    expect(names(rows, 'state=late')).toEqual(['slow']);
  });

  it('tells the servers that were refused of late, whatever their state', () => {
    const some = [...rows, row('cloned', 0, { refusedAt: NOW - 60_000 }), row('mended', 0, { refusedAt: NOW - 3_600_000 })];
    expect(viewFleet(some, query(), NOW).counts).toMatchObject({ alive: 4, refused: 1 });
    expect(names(some, 'state=refused')).toEqual(['cloned']);
    expect(names(some, 'state=alive')[0]).toBe('cloned');
    expect(names(some, '').slice(0, 4)).toEqual(['old', 'slow', 'cloned', 'new']);
    expect(fleetTitle(viewFleet(some, query(), NOW))).toBe('1 silent, 1 late, 1 refused · Fleet');
    expect(fleetTitle(viewFleet([row('well', 0)], query(), NOW))).toBe('Fleet');
  });

  it('sorts by the age of keys, the oldest first, and those without any last', () => {
    const key = (createdAt: number | null) => ({ key: { fingerprint: 'abcdef012345', slot: 'current' as const, createdAt } });
    const some = [row('young', 0, key(50)), row('none', null), row('old', 0, key(10)), row('credential', 0, key(null))];
    expect(names(some, 'sort=age')).toEqual(['old', 'young', 'credential', 'none']);
  });

  it('comes in pages, of which the last is the last', () => {
    const many = Array.from({ length: 5_000 }, (_, i) => row(`n${i}`, 0));
    const view = viewFleet(many, query('page=999&sort=name'), NOW);
    expect([view.pages, view.query.page, view.lines.length]).toEqual([50, 50, PAGE_SIZE]);
    expect(view.lines.at(-1)?.server.name).toBe('n4999');
  });

  it('reads back every address that it writes', () => {
    const any = fc.record({
      search: fc.string({ maxLength: 50 }).map((text) => text.trim()),
      state: fc.option(fc.constantFrom(...FILTERS), { nil: undefined }),
      sort: fc.constantFrom(...SORTS),
      descending: fc.boolean(),
      page: fc.integer({ min: 1, max: 60 }),
    });
    fc.assert(
      fc.property(any, (one) => {
        expect(parseFleetQuery(new URL(fleetUrl(one), 'https://h').searchParams)).toEqual(one);
      }),
    );
  });

  it('makes something of any address', () => {
    expect(query('sort=evil&dir=up&page=-3&state=gone&q=%00')).toMatchObject({
      sort: 'state',
      descending: false,
      page: 1,
      state: undefined,
    });
  });
});
