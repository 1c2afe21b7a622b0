import { type Place, type Problem, problem } from '../support/errors.ts';
import { MASK } from '../support/fingerprint.ts';
import { hideKeys } from '../support/hide.ts';

const EXPECTED = 'an address such as https://scout.example.com';

/** Whether a host as `URL` writes it is this machine: 127.0.0.0/8, [::1] or localhost. */
const isLoopback = (host: string): boolean => host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);

/**
 * An address of a service, without the slashes at its end; `value` is there exactly when it can be used.
 * Nothing of a user name or password in it gets into a problem.
 */
export function checkEndpoint(name: string, text: string, place: Place): { value?: string; problems: Problem[] } {
  const fault = (detail: string) => ({ problems: [problem('CONFIG_VALUE', { name, detail, expected: EXPECTED }, place)] });
  if (/\s/.test(text)) return fault('it holds white space');
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return fault('it does not begin with https://');
  if (!URL.canParse(text)) return fault('it is not an address');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return fault(`${url.protocol}// is not spoken here, only https://`);
  if (url.username !== '' || url.password !== '') return fault('it holds a user name or password; the key proves who this host is');
  if (url.port === '0') return fault('no service listens on port 0');
  if (text.includes('?')) return fault('it holds a query (`?`); give the address alone');
  if (text.includes('#')) return fault('it holds a fragment (`#`); give the address alone');
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    return { problems: [problem('ENDPOINT_PLAIN_HTTP', { name, host: url.hostname }, place)] };
  return { value: url.origin + url.pathname.replace(/\/+$/, ''), problems: [] };
}

/** An address fit to be shown: without user, password and query, and nothing of what is no address at all. */
export function maskAddress(text: string): string {
  // `user:password@host` without http:// before it is an address of the scheme `user:`.
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return /^[\w.-]+(:\d+)?$/.test(text) ? hideKeys(text) : MASK;
  const url = new URL(text);
  if (url.username === '' && url.password === '' && url.search === '' && url.hash === '') return hideKeys(text);
  const user = url.username === '' && url.password === '' ? '' : `${MASK}@`;
  return hideKeys(`${url.protocol}//${user}${url.host}${url.pathname === '/' ? '' : url.pathname}${url.search === '' ? '' : `?${MASK}`}`);
}

/** Faults of the address of a proxy. */
export function checkProxy(name: string, text: string, place: Place): Problem[] {
  const fault = (detail: string) => [
    problem('CONFIG_VALUE', { name, detail, expected: 'an address such as http://proxy.example.com:3128' }, place),
  ];
  if (/\s/.test(text)) return fault('it holds white space');
  if (!URL.canParse(text) || !/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return fault('it is not an address that begins with http://');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return fault(`proxies of kind ${url.protocol}// are not supported`);
  if (url.pathname !== '/' && url.pathname !== '') return fault('it has a path; give host and port alone');
  return [];
}
