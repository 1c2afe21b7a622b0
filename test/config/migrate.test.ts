import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { isReadableToService, migrate, planMigration } from '../../src/config/migrate.ts';
import { type ResolveOptions, resolveConfig } from '../../src/config/resolve.ts';
import { freshKey, Scratch } from './scratch.ts';

const ENDPOINT = 'https://scout.example.com';

const ENV = (key: string) => `# ours\nexport SCOUT_API_KEY='${key}'\r\nSCOUT_URL=${ENDPOINT}\n`;
const YAML = (key: string, more = '') => `api:\n  key: ${key} # the key\n  endpoint: ${ENDPOINT}\n${more}`;
const AGENT_KEY = (key: string) => `AGENT_KEY=${key}\nSCOUT_URL=${ENDPOINT}\n`;

const options = (scratch: Scratch): ResolveOptions => ({ env: {}, uid: 0, root: scratch.root });
const keyNow = (scratch: Scratch) => resolveConfig(options(scratch)).config?.api.key;
function moved(scratch: Scratch, link = true) {
  const plan = planMigration(options(scratch));
  migrate(plan, options(scratch), link);
  return plan;
}
const code = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
};
/** All files below the root, links with where they lead. */
const tree = (scratch: Scratch) =>
  readdirSync(scratch.root, { recursive: true, withFileTypes: true })
    .filter((one) => !one.isDirectory())
    .map((one) => path.join(one.parentPath, one.name).slice(scratch.root.length))
    .sort();

describe('migrate', () => {
  const cases = [
    ['opt/scout-agent/agent.env', 'etc/scout-agent/agent.env', ENV],
    ['opt/scout-agent/agent.env.yml', 'etc/scout-agent/config.yml', YAML],
    ['opt/serverscout/config.yml', 'etc/scout-agent/config.yml', YAML],
    ['etc/observer-agent.env', 'etc/scout-agent/agent.env', AGENT_KEY],
  ] as const;

  it.each(cases)('moves %s to %s: every byte, owner and mode; a link stays', (from, to, write) => {
    const scratch = new Scratch();
    const key = freshKey();
    const text = write(key);
    const old = scratch.file(from, text, 0o640);
    if (process.getuid?.() === 0) chownSync(old, 0, 0);
    chmodSync(old, 0o640);
    const plan = moved(scratch);
    const fresh = path.join(scratch.root, to);
    expect(plan.moves).toMatchObject([{ from: old, to: fresh, paths: [] }]);
    expect(readFileSync(fresh, 'utf8')).toBe(text);
    expect(lstatSync(fresh).mode).toBe(0o100640);
    expect(readlinkSync(old)).toBe(fresh);
    expect(keyNow(scratch)).toBe(key);
    expect(resolveConfig({ ...options(scratch), file: old }).config?.api.key).toBe(key);
    expect(tree(scratch)).toEqual([`/${from}`, `/${to}`].sort());
    expect(moved(scratch)).toEqual({ moves: [], unused: [] });
  });

  it('leaves a note where no link is wanted, without the key in it', () => {
    const scratch = new Scratch();
    const key = freshKey();
    const old = scratch.file('opt/scout-agent/agent.env', ENV(key));
    moved(scratch, false);
    expect(tree(scratch)).toEqual(['/etc/scout-agent/agent.env', '/opt/scout-agent/agent.env.moved']);
    expect(readFileSync(`${old}.moved`, 'utf8')).toContain('/etc/scout-agent/agent.env');
    expect(readFileSync(`${old}.moved`, 'utf8')).not.toContain(key);
    expect(keyNow(scratch)).toBe(key);
  });

  it('takes conf.d along, and makes paths absolute that were relative', () => {
    const scratch = new Scratch();
    const key = freshKey();
    scratch.file('opt/scout-agent/the.key', `${key}\n`);
    scratch.file('opt/scout-agent/agent.env.yml', `api:\n  key_file: the.key # here\n  endpoint: ${ENDPOINT}\n`);
    scratch.file('opt/scout-agent/conf.d/10-log.toml', 'state_dir = "../state"\n[log]\nlevel = "warn"\n');
    const before = resolveConfig(options(scratch)).config;
    const plan = moved(scratch);
    expect(plan.moves.map(({ paths }) => paths.map(({ name, to }) => [name, to.slice(scratch.root.length)]))).toEqual([
      [['state_dir', '/opt/scout-agent/state']],
      [['api.key_file', '/opt/scout-agent/the.key']],
    ]);
    expect(resolveConfig(options(scratch)).config).toEqual(before);
    expect(readFileSync(path.join(scratch.root, 'etc/scout-agent/config.yml'), 'utf8')).toContain('# here');
    expect(tree(scratch)).toHaveLength(5);
  });

  it('changes nothing while it plans', () => {
    const scratch = new Scratch();
    scratch.file('opt/serverscout/config.yml', YAML(freshKey(), 'tls: { ca_file: ca.pem }\n').replace(/tls.*\n/, 'state_dir: x\n'));
    const before = tree(scratch);
    expect(planMigration(options(scratch)).moves).toHaveLength(1);
    expect(tree(scratch)).toEqual(before);
  });

  it('names further old configurations, and leaves them', () => {
    const scratch = new Scratch();
    scratch.file('opt/scout-agent/agent.env', ENV(freshKey()));
    const other = scratch.file('opt/serverscout/config.yml', YAML(freshKey()));
    expect(moved(scratch).unused).toEqual([other]);
    expect(lstatSync(other).isFile()).toBe(true);
    expect(moved(scratch)).toEqual({ moves: [], unused: [other] });
  });

  it('has nothing to do where nothing stands in an old place', () => {
    const scratch = new Scratch();
    expect(moved(scratch)).toEqual({ moves: [], unused: [] });
    scratch.file('etc/scout-agent/config.yml', YAML(freshKey()));
    expect(moved(scratch)).toEqual({ moves: [], unused: [] });
  });

  it.each(['config.toml', 'config.yml', 'agent.env'])('leaves an old one that nobody reads, since %s is there', (name) => {
    const scratch = new Scratch();
    const old = scratch.file('opt/scout-agent/agent.env', ENV(freshKey()));
    scratch.file(`etc/scout-agent/${name}`, '# something\n');
    const before = tree(scratch);
    expect(moved(scratch)).toEqual({ moves: [], unused: [old] });
    expect(tree(scratch)).toEqual(before);
  });

  it('refuses a file of conf.d whose name is taken', () => {
    const scratch = new Scratch();
    scratch.file('opt/scout-agent/agent.env', ENV(freshKey()));
    for (const place of ['opt', 'etc']) scratch.file(`${place}/scout-agent/conf.d/a.yml`, `interval: ${place.length + 1}s # ${place}\n`);
    expect(code(() => moved(scratch))).toBe('MIGRATE_CONFLICT');
  });

  it('refuses what would read otherwise in the new place, and takes all back', () => {
    const scratch = new Scratch();
    scratch.file('opt/scout-agent/agent.env', ENV(freshKey()));
    scratch.file('opt/scout-agent/conf.d/a.yml', 'interval: 7s\n');
    scratch.file('etc/scout-agent/conf.d/b.yml', 'log: { level: debug }\n');
    const before = tree(scratch);
    expect(() => moved(scratch)).toThrow(expect.objectContaining({ code: 'MIGRATE_DIFFERS', message: expect.stringContaining('log') }));
    expect(tree(scratch)).toEqual(before);
  });

  it('refuses a link, and a configuration with faults', () => {
    const scratch = new Scratch();
    const real = scratch.file('srv/agent.env', ENV(freshKey()));
    mkdirSync(path.join(scratch.root, 'opt/scout-agent'), { recursive: true });
    symlinkSync(real, path.join(scratch.root, 'opt/scout-agent/agent.env'));
    expect(code(() => moved(scratch))).toBe('MIGRATE_CONFLICT');
    const other = new Scratch();
    other.file('opt/scout-agent/agent.env', 'SCOUT_API_KEY=short\n');
    expect(code(() => moved(other))).toBe('KEY_LENGTH');
  });

  it('goes on where it was cut short, wherever that was', () => {
    const key = freshKey();
    const files = { 'opt/scout-agent/agent.env': ENV(key), 'opt/scout-agent/conf.d/a.yml': 'interval: 7s\n' };
    const write = (scratch: Scratch) => Object.entries(files).map(([name, text]) => scratch.file(name, text));
    const goal = new Scratch();
    write(goal);
    moved(goal);
    const target = { 'etc/scout-agent/conf.d/a.yml': 'interval: 7s\n', 'etc/scout-agent/agent.env': ENV(key) };
    for (let steps = 0; steps <= 3; steps++) {
      const scratch = new Scratch();
      const [, side] = write(scratch) as [string, string];
      scratch.file('etc/scout-agent/.agent.migrating.env', 'half of i');
      for (const [name, text] of Object.entries(target).slice(0, steps)) scratch.file(name, text);
      if (steps === 3) {
        rmSync(side);
        symlinkSync(path.join(scratch.root, 'etc/scout-agent/conf.d/a.yml'), side);
      }
      moved(scratch);
      expect(tree(scratch)).toEqual(tree(goal));
      expect(lstatSync(path.join(scratch.root, 'opt/scout-agent/agent.env')).isSymbolicLink()).toBe(true);
      expect(keyNow(scratch)).toBe(key);
    }
  });

  it('tells whether the agent\u2019s own user may read a file', () => {
    const scratch = new Scratch();
    const file = scratch.file('a', '', 0o640);
    expect(isReadableToService(file, scratch.root)).toBe(true);
    const { uid, gid } = statSync(file);
    for (const [line, mode, expected] of [
      [`scout-agent:x:${uid}:99999::/:/x`, 0o400, true],
      [`scout-agent:x:99999:${gid}::/:/x`, 0o640, true],
      [`scout-agent:x:99999:${gid}::/:/x`, 0o600, false],
      ['scout-agent:x:99999:99999::/:/x', 0o640, false],
      ['scout-agent:x:99999:99999::/:/x', 0o644, true],
    ] as const) {
      scratch.file('etc/passwd', `root:x:0:0::/:/x\n${line}\n`);
      chmodSync(file, mode);
      expect(isReadableToService(file, scratch.root), line).toBe(expected);
    }
    expect(existsSync(file)).toBe(true);
  });
});
