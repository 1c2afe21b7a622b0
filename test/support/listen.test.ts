import { expect, it } from 'vitest';
import { parseListen } from '../../src/support/listen.ts';

it.each([
  ['0.0.0.0:1', { host: '0.0.0.0', port: 1 }],
  ['hub.example:8443', { host: 'hub.example', port: 8443 }],
  ['[::1]:8443', { host: '::1', port: 8443 }],
  ['[fe80::1%eth0]:1', { host: 'fe80::1%eth0', port: 1 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
  [':8443', { port: 8443 }],
  ['8443', { port: 8443 }],
])('reads %s', (text, found) => expect(parseListen(text)).toEqual(found));

it.each(['', 'a', 'a:', 'a:70000', '::1:8443', '[::1]8443', 'a b:1', 'https://a:1'])('refuses %j', (text) =>
  expect(parseListen(text)).toBeUndefined(),
);
