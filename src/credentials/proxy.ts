/** The proxy for an address: the one configured, else $https_proxy (or $http_proxy) unless $no_proxy names the host. */
export function proxyFor(endpoint: URL, configured: string | undefined, env: NodeJS.ProcessEnv): URL | undefined {
  if (configured !== undefined) return new URL(configured);
  const scheme = endpoint.protocol === 'https:' ? 'https' : 'http';
  const text = env[`${scheme}_proxy`] || (scheme === 'https' ? env.HTTPS_PROXY : undefined);
  if (!text || !URL.canParse(text) || isExempt(endpoint, env.no_proxy || env.NO_PROXY || '')) return undefined;
  return new URL(text);
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
