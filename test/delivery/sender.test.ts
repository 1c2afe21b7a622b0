import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Destination, Outcome, StoredHeartbeat } from '../../src/delivery/heartbeats.ts';
import { Sender } from '../../src/delivery/sender.ts';
import { beat, openSpool } from './support.ts';

const ok = (batch: StoredHeartbeat[]): Outcome => ({
  kind: 'accepted',
  accepted: batch.length,
  duplicates: 0,
  fingerprint: 'f',
  slot: 'current',
});
const down: Outcome = { kind: 'unavailable', reason: 'refused', detail: 'nothing listens' };

/** A sender on a service that answers as told, and what it sent. */
function sending(judge: (batch: StoredHeartbeat[], request: number) => Outcome | Promise<Outcome>, onLapse?: () => void) {
  const { spool, time, log, lines } = openSpool();
  const sent: number[][] = [];
  const destination: Destination = {
    name: 'api',
    endpoint: 'https://service.example',
    send: async (batch, signal) => {
      sent.push(batch.map(({ sequence }) => sequence));
      const cut = new Promise<Outcome>((resolve) =>
        signal.addEventListener('abort', () => resolve({ ...down, reason: 'reset' } as Outcome)),
      );
      return Promise.race([judge(batch, sent.length), cut]);
    },
    close: () => {},
  };
  const outcomes: Outcome[] = [];
  const sender = new Sender({
    destination,
    spool,
    host: time,
    log,
    random: () => 0.5,
    timers: time,
    onOutcome: (_, outcome) => void outcomes.push(outcome),
    ...(onLapse && { onLapse }),
  });
  const fill = (count: number) => {
    for (let i = 0; i < count; i++) spool.append(beat());
  };
  return { sender, spool, time, lines, sent, fill, outcomes };
}

/** Until what was started has run as far as it can without time passing. */
const settled = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('a sender', () => {
  it('drains what waits in full batches, then sleeps without a timer', async () => {
    const { sender, sent, fill, spool, time } = sending(ok);
    fill(240);
    sender.start();
    await settled();
    expect(sent).toEqual([range(1, 100), range(101, 200), range(201, 240)]);
    expect(spool.depth('api')).toBe(0);
    expect(time.pending).toBe(0);
    expect(sender.status()).toMatchObject({
      state: 'delivering',
      accepted: 240,
      pending: 0,
      problem: null,
      fingerprint: 'f',
      slot: 'current',
    });
    expect(sender.status().last_accepted).toMatchObject({ instance: spool.instance, sequence: 240 });
  });

  it('wakes for what is appended', async () => {
    const { sender, sent, fill } = sending(ok);
    sender.start();
    fill(1);
    sender.wake();
    await settled();
    fill(1);
    sender.wake();
    await settled();
    expect(sent).toEqual([[1], [2]]);
  });

  it('has one request in flight, and takes along what came meanwhile', async () => {
    const gate = Promise.withResolvers<Outcome>();
    const { sender, sent, fill } = sending((batch, request) => (request === 1 ? gate.promise : ok(batch)));
    fill(1);
    sender.start();
    fill(2);
    sender.wake();
    sender.wake();
    await settled();
    expect(sent).toEqual([[1]]);
    gate.resolve(ok([]));
    await settled();
    expect(sent).toEqual([[1], [2, 3]]);
  });

  it('after a failure sends the oldest alone, and the rest in full batches once that is taken', async () => {
    const { sender, sent, fill, time } = sending((batch, request) => (request <= 2 ? down : ok(batch)));
    fill(30);
    sender.start();
    await settled();
    expect(sender.status()).toMatchObject({ state: 'retrying', problem: { reason: 'refused', next_attempt_in: 1 } });
    time.advance(500);
    await settled();
    time.advance(999);
    await settled();
    expect(sent).toEqual([range(1, 30), [1]]);
    time.advance(1);
    await settled();
    expect(sent.slice(2)).toEqual([[1], range(2, 16), range(17, 30)]);
  });

  it('does not ask before the time that the service named', async () => {
    const { sender, sent, fill, time } = sending((batch, request) =>
      request === 1 ? { kind: 'unavailable', reason: 'busy', detail: 'later', retryAfter: 60_000 } : ok(batch),
    );
    fill(1);
    sender.start();
    await settled();
    time.advance(60_000);
    await settled();
    expect(sent).toHaveLength(1);
    time.advance(500);
    await settled();
    expect(sent).toHaveLength(2);
  });

  it('waits longest when the credential is refused, and not at all once there is another', async () => {
    const answers: Outcome[] = [...Array(12)].map(() => ({ kind: 'unauthorized', detail: 'refused' }));
    const { sender, sent, fill, time } = sending((batch) => answers.shift() ?? ok(batch));
    fill(1);
    sender.start();
    for (let i = 0; i < 11; i++) {
      await settled();
      time.advance(900_000);
    }
    await settled();
    expect(sent).toHaveLength(12);
    expect(sender.status()).toMatchObject({ state: 'unauthorized', problem: { next_attempt_in: 450 } });
    sender.credentialChanged();
    await settled();
    expect(sent).toHaveLength(13);
    expect(sender.status().state).toBe('delivering');
  });

  it('does not blame a new credential for the refusal of the old one', async () => {
    const gate = Promise.withResolvers<Outcome>();
    const { sender, sent, fill } = sending((batch, request) => (request === 1 ? gate.promise : ok(batch)));
    fill(1);
    sender.start();
    sender.credentialChanged();
    gate.resolve({ kind: 'unauthorized', detail: 'refused' });
    await settled();
    expect(sent).toEqual([[1], [1]]);
    expect(sender.status().state).toBe('delivering');
  });

  it('halves a batch that is too large, and leaves out a heartbeat that alone is', async () => {
    const { sender, sent, fill, spool } = sending((batch) =>
      batch.length > 2 || batch.some(({ sequence }) => sequence === 5) ? { kind: 'too-large' } : ok(batch),
    );
    fill(8);
    sender.start();
    await settled();
    expect(spool.depth('api')).toBe(0);
    expect(spool.losses()).toMatchObject([{ reason: 'too-large', count: 1 }]);
    expect(sent.slice(0, 3)).toEqual([range(1, 8), range(1, 4), range(1, 2)]);
  });

  it('leaves out the heartbeat that the service names', async () => {
    const { sender, sent, fill, spool, lines } = sending((batch) => {
      const index = batch.findIndex(({ sequence }) => sequence === 4);
      return index >= 0 ? { kind: 'rejected', detail: 'no such thing', index } : ok(batch);
    });
    fill(10);
    sender.start();
    await settled();
    expect(sent).toEqual([range(1, 10), range(1, 3), range(4, 7), range(5, 8), range(9, 10)]);
    expect(spool.losses()).toMatchObject([{ reason: 'rejected', count: 1 }]);
    expect(lines.filter(({ level }) => level === 'error')).toMatchObject([{ fields: { sequence: 4, reason: 'rejected' } }]);
  });

  it('cuts its way to a heartbeat that the service does not name, whichever they are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 4 }), async (poison) => {
        const got: number[] = [];
        const { sender, fill, spool } = sending((batch) => {
          if (batch.some(({ sequence }) => poison.includes(sequence))) return { kind: 'rejected', detail: 'no' };
          got.push(...batch.map(({ sequence }) => sequence));
          return ok(batch);
        });
        fill(60);
        sender.start();
        for (let i = 0; i < 40 && spool.depth('api') > 0; i++) await settled();
        expect(got).toEqual(range(1, 60).filter((sequence) => !poison.includes(sequence)));
        expect(spool.losses()).toMatchObject(poison.length > 0 ? [{ reason: 'rejected', count: poison.length }] : []);
      }),
      { numRuns: 8 },
    );
  });

  it('sends fewer where a full batch never gets through', async () => {
    const { sender, sent, fill, spool, time } = sending((batch) =>
      batch.length > 20 ? { kind: 'unavailable', reason: 'timeout', detail: 'no answer' } : ok(batch),
    );
    fill(400);
    sender.start();
    for (let i = 0; i < 100 && spool.depth('api') > 0; i++) {
      await settled();
      time.advance(300_000);
    }
    expect(spool.depth('api')).toBe(0);
    expect(sent.length).toBeLessThan(50);
  });

  it('goes on when a destination breaks its promise and throws', async () => {
    const { sender, sent, fill, time } = sending((batch, request) => {
      if (request === 1) throw new Error('a bug');
      return ok(batch);
    });
    fill(1);
    sender.start();
    await settled();
    time.advance(1_000);
    await settled();
    expect(sent).toEqual([[1], [1]]);
  });

  it('holds: waits for what is in flight, then sends nothing until released', async () => {
    const gate = Promise.withResolvers<Outcome>();
    const { sender, sent, fill } = sending((batch, request) => (request === 1 ? gate.promise : ok(batch)));
    fill(1);
    sender.start();
    const order: string[] = [];
    const held = sender.hold().then(() => void order.push('held'));
    await settled();
    order.push('answered');
    gate.resolve(ok([]));
    await held;
    expect(order).toEqual(['answered', 'held']);
    fill(1);
    sender.wake();
    await settled();
    expect(sent).toEqual([[1]]);
    sender.release();
    await settled();
    expect(sent).toEqual([[1], [2]]);
  });

  it('lets a hold lapse that nobody releases', async () => {
    const { sender, sent, fill, time } = sending(ok);
    sender.start();
    await sender.hold(5_000);
    fill(1);
    sender.wake();
    await settled();
    expect(sent).toEqual([]);
    time.advance(5_000);
    await settled();
    expect(sent).toEqual([[1]]);
  });

  it('goes on after a lapse only when released, where somebody looks first at what to send with', async () => {
    let lapsed = 0;
    const { sender, sent, fill, time } = sending(ok, () => lapsed++);
    sender.start();
    await sender.hold(5_000);
    fill(1);
    time.advance(5_000);
    sender.wake();
    await settled();
    expect({ lapsed, sent, held: sender.held, pending: time.pending }).toEqual({ lapsed: 1, sent: [], held: true, pending: 0 });
    sender.release();
    await settled();
    expect(sent).toEqual([[1]]);
  });

  it('counts a hold from when nothing is in flight, and a release meanwhile ends it', async () => {
    const gates = [Promise.withResolvers<Outcome>(), Promise.withResolvers<Outcome>()];
    const { sender, sent, fill, time } = sending((batch, request) => gates[request - 1]?.promise ?? ok(batch));
    fill(1);
    sender.start();
    const held = sender.hold(5_000);
    fill(1);
    time.advance(60_000);
    gates[0]?.resolve(ok([]));
    await held;
    await settled();
    expect(sent).toEqual([[1]]);
    time.advance(5_000);
    await settled();
    const second = sender.hold(5_000);
    sender.release();
    gates[1]?.resolve(ok([]));
    await second;
    fill(1);
    sender.wake();
    await settled();
    expect({ sent, pending: time.pending }).toEqual({ sent: [[1], [2], [3]], pending: 0 });
  });

  it('is told of a refusal before it goes on: suspended, it waits for the next key, and a round of refusals counts once', async () => {
    const { spool, time, log } = openSpool();
    const keys = ['b', 'c'];
    const sent: string[] = [];
    let key = 'a';
    const destination: Destination = {
      name: 'api',
      endpoint: 'https://service.example',
      send: async () => {
        sent.push(key);
        return { kind: 'unauthorized', detail: `refused ${key}`, by: key };
      },
      close: () => {},
    };
    const sender = new Sender({
      destination,
      spool,
      host: time,
      log,
      random: () => 0.5,
      timers: time,
      onOutcome: (_, { by }) => {
        if (by === 'a') return sender.suspend();
        const next = keys.shift();
        if (!next) return sender.resume();
        key = next;
        sender.retry();
      },
    });
    spool.append(beat());
    sender.start();
    await settled();
    // The pause is over, and it waits all the same.
    time.advance(3_600_000);
    await settled();
    expect(sent).toEqual(['a']);
    key = keys.shift() as string;
    sender.retry();
    await settled();
    expect(sent).toEqual(['a', 'b', 'c']);
    // The words for the key that the search began with: it is the one that somebody set.
    const problem = { next_attempt_in: 1, detail: 'refused a' };
    expect(sender.status()).toMatchObject({ state: 'unauthorized', failures: 3, problem });
    time.advance(500);
    await settled();
    expect(sent).toEqual(['a', 'b', 'c', 'c']);
    expect(sender.status().problem?.detail).toBe('refused c');
    key = 'd';
    sender.credentialChanged();
    await settled();
    expect(sender.status().problem?.detail).toBe('refused d');
  });

  it('stops: lets the request in flight finish, and sends no more', async () => {
    const gate = Promise.withResolvers<Outcome>();
    const { sender, sent, fill, spool } = sending(() => gate.promise);
    fill(1);
    sender.start();
    fill(5);
    const stopped = sender.stop(1_000);
    gate.resolve(ok([]));
    await stopped;
    expect(sent).toHaveLength(1);
    expect(spool.depth('api')).toBe(5);
  });

  it('stops: cuts a request that outlasts the deadline, and keeps its batch', async () => {
    const { sender, fill, spool, time, lines } = sending(() => new Promise(() => {}));
    fill(2);
    sender.start();
    const stopped = sender.stop(1_000);
    time.advance(1_000);
    await stopped;
    expect(spool.depth('api')).toBe(2);
    expect(lines).toEqual([]);
    expect(time.pending).toBe(0);
  });
});

describe('the log', () => {
  const day = async (answers: (request: number) => Outcome | undefined, step = 10_000) => {
    const { sender, fill, time, lines } = sending((batch, request) => answers(request) ?? ok(batch));
    fill(1);
    sender.start();
    for (let at = 0; at < 86_400_000; at += step) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      time.advance(step);
      fill(at % 3_600_000 === 0 ? 1 : 0);
      sender.wake();
    }
    return { lines, sender, time };
  };

  it('has a handful of lines for a day without the endpoint, with counts', async () => {
    const { lines } = await day(() => down, 60_000);
    expect(lines.length).toBeLessThanOrEqual(6);
    expect(lines[0]).toMatchObject({ level: 'warn', fields: { destination: 'api', reason: 'refused', detail: 'nothing listens' } });
    expect(lines.at(-1)?.fields).toMatchObject({ suppressed: expect.any(Number), attempts: expect.any(Number), for: expect.any(String) });
  });

  it('has as few for one that comes and goes', async () => {
    const { lines } = await day((request) => (request % 2 ? down : undefined), 60_000);
    expect(lines.length).toBeLessThanOrEqual(40);
  });

  it('tells the change of a reason, and the recovery', async () => {
    const { sender, fill, time, lines } = sending((batch, request) =>
      request === 1 ? down : request === 2 ? { kind: 'unavailable', reason: 'timeout', detail: 'no answer' } : ok(batch),
    );
    fill(1);
    sender.start();
    for (let i = 0; i < 3; i++) {
      await settled();
      time.advance(5_000);
    }
    await settled();
    expect(lines.map(({ level, fields }) => [level, fields.reason])).toEqual([
      ['warn', 'refused'],
      ['warn', 'timeout'],
      ['info', undefined],
    ]);
    expect(lines.at(-1)?.fields).toMatchObject({ after: '10s', attempts: 2 });
  });
});
