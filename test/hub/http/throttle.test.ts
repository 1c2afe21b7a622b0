import { expect, it } from 'vitest';
import { sourceOf, Throttle } from '../../../src/hub/http/throttle.ts';

it('lets a source fail up to its limit in a window, and tells how long to wait beyond it', () => {
  const throttle = new Throttle(2, 100);
  expect([throttle.fail('a', 0), throttle.fail('a', 10), throttle.fail('a', 20), throttle.fail('b', 20)]).toEqual([0, 0, 80, 0]);
  expect(throttle.fail('a', 99)).toBe(1);
  expect(throttle.fail('a', 100)).toBe(0);
});

it('forgets windows that are over, and the oldest source when there are too many', () => {
  const throttle = new Throttle(1, 100, 2);
  throttle.fail('a', 0);
  throttle.fail('b', 1);
  throttle.fail('c', 2);
  expect(throttle.fail('b', 3)).toBe(98);
  expect(throttle.fail('a', 4)).toBe(0);
});

it('sets a success off against a failure of the same source', () => {
  const throttle = new Throttle(2, 100);
  for (let count = 0; count < 10; count++) {
    expect(throttle.fail('a', 0)).toBe(0);
    throttle.succeed('a');
  }
  throttle.succeed('nobody');
  expect([throttle.fail('a', 1), throttle.fail('a', 1), throttle.fail('a', 1)]).toEqual([0, 0, 99]);
});

it.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::9', '2001:db8:1:2'],
  ['2001:db8::9', '2001:db8:0:0'],
  ['2001:db8:1:2:3:4:5::', '2001:db8:1:2'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['::1', '0:0:0:0'],
  ['', ''],
])('counts failures from %s to %s', (address, source) => {
  expect(sourceOf(address)).toBe(source);
});
