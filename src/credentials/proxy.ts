/**
 * The proxy for an address: the one configured, else $https_proxy unless $no_proxy names the host. The check and the
 * daemon both ask here, so what the one proves is what the other does. Plain http goes to loopback only, never through a
 * proxy: it carries the key.
 */
export function proxyFor(endpoint: URL, configured: string | undefined, env: NodeJS.ProcessEnv): URL | undefined {
  if (endpoint.protocol !== 'https:') return undefined;
  if (configured !== undefined) return parseProxy(configured);
  const text = env.https_proxy || env.HTTPS_PROXY;
  return text && !isExempt(endpoint, env.no_proxy || env.NO_PROXY || '') ? parseProxy(text) : undefined;
}

/** As curl reads it: `host:port` alone is one of http. Undefined for what is no proxy that we can use (SOCKS). */
function parseProxy(text: string): URL | undefined {
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  // A `%` in a password that was not written %25 would not be decodable.
  const address = whole.replace(/%(?![0-9a-f]{2})/gi, '%25');
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  return url.protocol === 'http:' || url.protocol === 'https:' ? url : undefined;
}

/** The value of Proxy-Authorization that a proxy's address asks for. */
export function proxyAuthorization(proxy: URL): string | undefined {
  if (proxy.username === '' && proxy.password === '') return undefined;
  const plain = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return `Basic ${Buffer.from(plain).toString('base64')}`;
}

/** no_proxy: hosts with commas between, each with all below it; `host:port` for one port; `*` for all. */
function isExempt(endpoint: URL, list: string): boolean {
  const host = endpoint.hostname.replace(/^\[|\]$/g, '');
  const port = endpoint.port || (endpoint.protocol === 'https:' ? '443' : '80');
  return list
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((item) => {
      if (item === '*') return true;
      // An IPv6 address has colons of its own: a port goes after its brackets.
      const [, name = item, only] = /^\[(.*)\](?::(\d+))?$/.exec(item) ?? /^([^:]*)(?::(\d+))?$/.exec(item) ?? [];
      const bare = name.replace(/^\*?\./, '').toLowerCase();
      return (only === undefined || only === port) && (host === bare || host.endsWith(`.${bare}`));
    });
}
