import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { request as ask } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeAuthority, makeLeaf } from '../../src/hub/tls/certificates.ts';
import { AGENT, Bench, type Done, run } from '../helpers/programs.ts';

/* The proxies that stand between hosts and a service, as docs/proxy.md tells of them. */

describe('a proxy', () => {
  let bench: Bench;
  let key = '';
  const servers: Server[] = [];
  const clean = (): NodeJS.ProcessEnv => {
    const { https_proxy: _, HTTPS_PROXY: __, no_proxy: ___, NO_PROXY: ____, ...env } = process.env;
    return env;
  };
  const agent = (args: string[], env: NodeJS.ProcessEnv = {}): Promise<Done> => run(AGENT, args, { env: { ...clean(), ...env } });

  beforeEach(async () => {
    bench = new Bench();
    await bench.startHub();
    key = (await bench.addServer('web-1')).key;
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
    await bench.close();
  });

  /** Starts a proxy; `through` has the client's connection, once it may pass. */
  async function proxy(through: (client: import('node:stream').Duplex, target: string) => void, password?: string) {
    const passed: string[] = [];
    const server = createServer((_, answer) => answer.writeHead(400).end());
    server.on('connect', (request, client) => {
      client.on('error', () => {});
      const wanted = password && `Basic ${Buffer.from(password).toString('base64')}`;
      if (wanted && request.headers['proxy-authorization'] !== wanted) {
        client.end('HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="way out"\r\n\r\n');
        return;
      }
      passed.push(request.url as string);
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      through(client, request.url as string);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', resolve);
    await promise;
    servers.push(server);
    return { address: `127.0.0.1:${(server.address() as { port: number }).port}`, passed };
  }

  const tunnel = (client: import('node:stream').Duplex, target: string): void => {
    const [host, port] = target.split(':');
    const service = connect(Number(port), host);
    service.on('error', () => client.destroy());
    client.on('close', () => service.destroy());
    client.pipe(service).pipe(client);
  };

  it('with a password lets the agent through that knows it, and the refusal of another is told as the proxy’s', async () => {
    const { address, passed } = await proxy(tunnel, 'agent:s3cr/t');
    const good = bench.configure('good', key, `proxy: http://agent:s3cr%2Ft@${address}\n`);
    expect((await agent(['heartbeat', '--config', good])).stdout).toContain('accepted by');
    expect(passed).toEqual([`127.0.0.1:${bench.port}`]);
    const shown = (await agent(['--check-config', '--online', '--config', good])).stdout;
    expect(shown).toContain('a proxy that lets us through');
    expect(shown).not.toMatch(/s3cr/);

    const bad = bench.configure('bad', key, `proxy: http://${address}\n`);
    const refused = await agent(['--check-config', '--online', '--config', bad]);
    expect(refused).toMatchObject({ status: 69, stdout: expect.stringContaining('it wants a user name and password (407)') });
    expect(refused.stdout).toContain('PROXY_AUTH');
    for (const verb of [['heartbeat'], ['rotate', '--self']])
      expect(await agent([...verb, '--config', bad])).toMatchObject({
        status: 69,
        stderr: expect.stringMatching(/PROXY_AUTH: .*407(.|\n)*USER:PASSWORD@HOST/),
      });
    expect((await bench.show('web-1')).refused['401'] ?? 0).toBe(0);
  });

  it('of the environment is used, unless no_proxy names the service', async () => {
    const { address, passed } = await proxy(tunnel);
    const config = bench.configure('agent', key);
    expect((await agent(['heartbeat', '--config', config], { https_proxy: `http://${address}` })).status).toBe(0);
    expect(passed).toHaveLength(1);
    const exempt = { HTTPS_PROXY: `http://${address}`, NO_PROXY: 'intranet.example.com, 127.0.0.1' };
    expect((await agent(['heartbeat', '--config', config], exempt)).status).toBe(0);
    expect(passed).toHaveLength(1);
    expect((await bench.show('web-1')).instances).toMatchObject([{ accepted: 2, gaps: [] }]);
  });

  it('that opens TLS is refused until its authority is named, and nothing of the key reaches it before', async () => {
    const authority = makeAuthority('Inspection CA', Date.now());
    const leaf = makeLeaf(authority, 'Inspection CA', ['127.0.0.1'], Date.now());
    let seen = '';
    const inspecting = createServer((request, answer) => {
      seen += JSON.stringify(request.headers);
      const { method, url: path, headers } = request;
      const service = ask({ host: '127.0.0.1', port: bench.port, method, path, headers, ca: bench.ca }, (response) => {
        answer.writeHead(response.statusCode as number, response.headers);
        response.pipe(answer);
      });
      request.pipe(service);
    });
    servers.push(inspecting);
    const { address } = await proxy((client) => {
      const opened = new TLSSocket(client as import('node:net').Socket, { isServer: true, cert: leaf.cert, key: leaf.key });
      opened.on('error', () => client.destroy());
      inspecting.emit('connection', opened);
    });
    const config = bench.configure('agent', key, `proxy: http://${address}\n`);
    const refused = await agent(['--check-config', '--online', '--config', config]);
    expect(refused.status).toBe(69);
    expect(refused.stdout).toContain('SERVICE_TLS');
    expect((await agent(['heartbeat', '--config', config])).status).toBe(69);
    expect(seen).toBe('');

    const ca = join(bench.folder, 'inspection.pem');
    writeFileSync(ca, authority.cert);
    writeFileSync(config, readFileSync(config, 'utf8').replace(/ca_file: .*/, `ca_file: ${ca}`));
    expect((await agent(['--check-config', '--online', '--config', config])).stdout).toContain('certificate issued by Inspection CA');
    expect((await agent(['heartbeat', '--config', config])).stdout).toContain('accepted by');
    // Whoever opens TLS sees the key: docs/proxy.md says so.
    expect(seen).toContain(key);
  });

  it('that cannot be used is refused before anything is sent', async () => {
    for (const [address, why] of [
      ['socks5://127.0.0.1:1080', 'proxies of kind socks5:// are not supported'],
      ['http://127.0.0.1:3128/path', 'it has a path'],
      ['127.0.0.1:3128', 'it is not an address that begins with http://'],
    ] as const) {
      const config = bench.configure('agent', key, `proxy: ${address}\n`);
      const { status, stdout } = await agent(['--check-config', '--config', config]);
      expect({ status, stdout }).toMatchObject({ status: 78, stdout: expect.stringContaining(why) });
    }
  });
});
