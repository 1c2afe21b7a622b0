import { type Place, type Problem, problem } from '../support/errors.ts';

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
  if (text.includes('?')) return fault('it holds a query (`?`); give the address alone');
  if (text.includes('#')) return fault('it holds a fragment (`#`); give the address alone');
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    return { problems: [problem('ENDPOINT_PLAIN_HTTP', { name, host: url.hostname }, place)] };
  return { value: url.origin + url.pathname.replace(/\/+$/, ''), problems: [] };
}

/** A proxy's address with its password masked, fit to be shown. */
export function maskAddress(text: string): string {
  if (!URL.canParse(text)) return text.includes('@') ? '********' : text;
  const url = new URL(text);
  if (url.username === '' && url.password === '') return text;
  return `${url.protocol}//********@${url.host}${url.pathname === '/' ? '' : url.pathname}`;
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
