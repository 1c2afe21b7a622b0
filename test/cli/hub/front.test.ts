import { describe, expect, it } from 'vitest';
import { type FrontFlags, frontOf } from '../../../src/cli/hub/front.ts';

describe('what stands before the hub', () => {
  it.each<[FrontFlags, string]>([
    [{ listenHttp: '127.0.0.1:8080' }, '--trust-proxy'],
    [{ trustProxy: ['proxy.example'] }, '--trust-proxy'],
    [{ trustProxy: ['10.0.0.1'], listenHttp: '0.0.0.0:8080' }, '--listen-http'],
    [{ trustProxy: ['10.0.0.1'], listenHttp: '[::]:8080' }, '--listen-http'],
    [{ trustProxy: ['10.0.0.1'], listenHttp: 'hub.example:8080' }, '--listen-http'],
    [{ publicUrl: 'http://scout.example' }, '--public-url'],
    [{ publicUrl: 'https://scout.example/path' }, '--public-url'],
    [{ publicUrl: 'https://ann:secret@scout.example' }, '--public-url'],
    [{ publicUrl: 'scout.example' }, '--public-url'],
  ])('%j is refused where it would be open, or cannot be', async (flags, named) => {
    await expect(frontOf(flags)).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining(named) });
  });

  it.each<[FrontFlags, object]>([
    [{}, {}],
    [{ publicUrl: 'https://scout.example/' }, { publicOrigin: 'https://scout.example' }],
    [{ trustProxy: ['10.0.0.1, unix'], listenHttp: 'unix:/run/h.sock' }, { plain: { path: '/run/h.sock' } }],
    [{ trustProxy: ['10.0.0.1'], listenHttp: ':8080' }, { plain: { host: '127.0.0.1', port: 8080 } }],
    [{ trustProxy: ['::1'], listenHttp: '[::1]:8080' }, { plain: { host: '::1', port: 8080 } }],
  ])('%j is taken', async (flags, expected) => {
    expect(await frontOf(flags)).toMatchObject(expected);
  });
});
