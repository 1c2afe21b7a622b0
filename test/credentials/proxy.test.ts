import { describe, expect, it } from 'vitest';
import { proxyAuthorization, proxyFor } from '../../src/credentials/proxy.ts';

const at = (endpoint: string, env: NodeJS.ProcessEnv, configured?: string) => proxyFor(new URL(endpoint), configured, env)?.href;
const SERVICE = 'https://scout.example.com:8443';

describe('proxyFor', () => {
  it.each([
    ['http://proxy:3128', 'http://proxy:3128/'],
    ['proxy:3128', 'http://proxy:3128/'],
    ['10.0.0.1:3128', 'http://10.0.0.1:3128/'],
    ['user:pass@proxy:3128', 'http://user:pass@proxy:3128/'],
    ['https://proxy', 'https://proxy/'],
    ['socks5://proxy:1080', undefined],
    ['not an address', undefined],
    ['', undefined],
  ])('reads $https_proxy as curl does: %s', (text, expected) => {
    expect(at(SERVICE, { https_proxy: text })).toBe(expected);
    expect(at(SERVICE, { HTTPS_PROXY: text })).toBe(expected);
  });

  it('prefers the one configured, and never sends plain http through any', () => {
    expect(at(SERVICE, { https_proxy: 'http://other:1' }, 'http://mine:1')).toBe('http://mine:1/');
    expect(at('http://127.0.0.1:8080', { http_proxy: 'http://other:1', https_proxy: 'http://other:1' }, 'http://mine:1')).toBeUndefined();
  });

  it.each([
    ['scout.example.com', false],
    ['.example.com', false],
    ['*.example.com', false],
    ['example.com', false],
    ['EXAMPLE.com:8443', false],
    ['*', false],
    ['example.com:443', true],
    ['ample.com', true],
    ['other.example.com, 10.0.0.1', true],
  ])('obeys $no_proxy: %s', (list, through) => {
    expect(at(SERVICE, { https_proxy: 'http://p:1', no_proxy: list }) !== undefined).toBe(through);
  });

  it('takes a password with a lone percent sign', () => {
    const proxy = proxyFor(new URL(SERVICE), 'http://u:50%off%20@p:1', {}) as URL;
    expect(proxyAuthorization(proxy)).toBe(`Basic ${Buffer.from('u:50%off ').toString('base64')}`);
  });
});
