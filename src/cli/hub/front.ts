import type { Command } from 'commander';
import type { ServeOptions } from '../../hub/serve.ts';
import { parseListen } from '../../support/listen.ts';
import { usage } from './common.ts';

/** What of `serve` is about what stands before the hub. */
export interface FrontFlags {
  publicUrl?: string;
  trustProxy?: string[];
  listenHttp?: string;
}

/** Adds `--public-url`, `--trust-proxy` and `--listen-http`. */
export function withFront(command: Command): Command {
  return command
    .option('--public-url <url>', 'where people reach it, when that is not the address listened on: https://scout.example')
    .option('--trust-proxy <address...>', 'proxies whose X-Forwarded-For counts: addresses, networks such as 10.0.0.0/8, `unix`')
    .option(
      '--listen-http <address>',
      'also take requests without TLS, of these proxies only: 127.0.0.1:8080, or unix:/run/scout-hub.sock',
    );
}

/** What stands before the hub. Throws USAGE. */
export async function frontOf({ publicUrl, trustProxy, listenHttp }: FrontFlags): Promise<NonNullable<ServeOptions['front']>> {
  const { Proxies } = await import('../../hub/http/proxies.ts');
  const proxies = trustProxy && Proxies.parse(trustProxy.flatMap((text) => text.split(',')).map((text) => text.trim()));
  if (trustProxy && !proxies) throw usage('--trust-proxy takes addresses, networks such as 10.0.0.0/8, and `unix`');
  if (listenHttp !== undefined && !proxies) throw usage('--listen-http is for a proxy that ends TLS: say which with --trust-proxy');
  return { proxies, plain: listenHttp === undefined ? undefined : plainOf(listenHttp), publicOrigin: publicUrl && originOf(publicUrl) };
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // Sessions and keys are for HTTPS only, and pages name each other by their path from the root.
  if (url?.protocol !== 'https:' || url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '')
    throw usage('--public-url is an address such as https://scout.example, without a path');
  return url.origin;
}

function plainOf(text: string): { host: string; port: number } | { path: string } {
  if (text.startsWith('unix:/')) return { path: text.slice('unix:'.length) };
  const found = parseListen(text);
  const host = found?.host ?? '127.0.0.1';
  // Whoever shares the line would read every key that goes over it.
  if (!found || !/^(127\.[\d.]+|::1|localhost)$/.test(host))
    throw usage('--listen-http takes an address of this machine itself, such as 127.0.0.1:8080 or [::1]:8080, or unix:/PATH');
  return { host, port: found.port };
}
