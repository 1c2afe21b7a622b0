import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fingerprint } from '../../src/support/fingerprint.ts';
import { createLogger, type LoggerOptions } from '../../src/support/logger.ts';

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  let now = 0;
  const log = createLogger({
    level: 'info',
    format: 'json',
    secrets: () => [],
    sink: { write: (line) => lines.push(line) },
    monotonic: () => now,
    ...options,
  });
  return { log, lines, records: () => lines.map((line) => JSON.parse(line)), pass: (ms: number) => (now += ms) };
}

describe('createLogger', () => {
  it('writes one JSON line a record, fields and all', () => {
    const { log, records } = capture();
    log.info({ file: '/etc/x', count: 3 }, 'started');
    expect(records()).toEqual([{ level: 'info', time: expect.stringMatching(/^\d{4}-.*Z$/), file: '/etc/x', count: 3, msg: 'started' }]);
  });

  it('obeys the level, also when it changes', () => {
    const { log, lines } = capture();
    log.debug({}, 'not shown');
    log.setLevel('debug');
    log.debug({}, 'shown');
    expect(log.level).toBe('debug');
    expect(lines).toHaveLength(1);
  });

  it('keeps to debug while that is on, whatever level is set meanwhile, and returns to that one', () => {
    const { log } = capture();
    log.setDebug(true);
    log.setLevel('error');
    expect(log.level).toBe('debug');
    log.setLevel('trace');
    expect(log.level).toBe('trace');
    log.setLevel('warn');
    log.setDebug(false);
    expect(log.level).toBe('warn');
  });

  it('writes text for people without colours where there is no terminal', () => {
    const { log, lines } = capture({ format: 'text' });
    log.warn({ detail: 'two words', left: 4, of: ['a'], broken: 'a\nb' }, 'disk is filling');
    expect(lines[0]).toMatch(/^\S+Z warn {2}disk is filling detail="two words" left=4 of=\["a"\] broken="a\\nb"\n$/);
  });

  it('takes secrets out by the name of their field, at any depth', () => {
    const { log, lines, records } = capture();
    const key = randomBytes(16).toString('hex');
    log.error(
      { key, request: { headers: [{ 'X-API-Key': key, Authorization: key }] }, tls: { key_passphrase: key }, host: 'a' },
      'refused',
    );
    expect(lines.join()).not.toContain(key);
    expect(records()[0]).toMatchObject({ key: '[removed]', request: { headers: [{ 'X-API-Key': '[removed]' }] }, host: 'a' });
  });

  it('takes secrets out by value, wherever and however they stand', () => {
    const key = `${randomBytes(20).toString('base64')}/+"`;
    const { log, lines } = capture({ secrets: () => [key] });
    const bytes = Buffer.from(key);
    log.info({ detail: `tried ${key}`, hex: bytes.toString('hex'), url: encodeURIComponent(key) }, 'one');
    log.info({ basic: Buffer.from(`user:${key}`).toString('base64'), raw: bytes.toString('base64') }, `two ${key}`);
    const text = lines.join('');
    for (const form of [key, bytes.toString('hex'), encodeURIComponent(key), JSON.stringify(key).slice(1, -1)])
      expect(text).not.toContain(form);
    expect(text).not.toContain(bytes.toString('base64').slice(2, 20));
    expect(text).toContain(`[secret:${fingerprint(key)}]`);
  });

  it('knows a secret that came later', () => {
    const known: string[] = [];
    const { log, lines } = capture({ secrets: () => known });
    const key = randomBytes(32).toString('hex');
    known.push(key);
    log.info({ detail: key }, 'rotated');
    expect(lines[0]).not.toContain(key);
  });

  it('holds back what repeats, and says how much', () => {
    const { log, records, pass } = capture();
    for (let count = 0; count < 25; count += 1) log.warn({ count }, 'cannot reach it');
    log.warn({}, 'another');
    expect(records()).toHaveLength(6);
    pass(60_000);
    log.warn({}, 'cannot reach it');
    expect(records().slice(6)).toMatchObject([{ level: 'warn', suppressed: 20, message: 'cannot reach it' }, { msg: 'cannot reach it' }]);
    for (let count = 0; count < 9; count += 1) log.warn({}, 'cannot reach it');
    log.flush();
    expect(records().at(-1)).toMatchObject({ suppressed: 5 });
  });

  it('writes to a file that others cannot read, and opens it anew after it was rotated', () => {
    const folder = mkdtempSync(join(tmpdir(), 'log-'));
    try {
      const file = join(folder, 'agent.log');
      const log = createLogger({ level: 'info', format: 'auto', file, secrets: () => [] });
      log.info({}, 'one');
      renameSync(file, `${file}.1`);
      log.info({}, 'two');
      log.reopen();
      log.info({}, 'three');
      expect(readFileSync(`${file}.1`, 'utf8')).toMatch(/one[\s\S]*two/);
      expect(readFileSync(file, 'utf8')).toMatch(/"msg":"three"/);
      expect(statSync(file).mode & 0o007).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('goes on in the file before where it cannot be opened anew, and says so', () => {
    const folder = mkdtempSync(join(tmpdir(), 'log-'));
    try {
      const file = join(folder, 'logs', 'agent.log');
      const log = createLogger({ level: 'info', format: 'auto', file, secrets: () => [] });
      renameSync(join(folder, 'logs'), join(folder, 'away'));
      // A file in its place keeps root out as well.
      writeFileSync(join(folder, 'logs'), '');
      log.reopen();
      log.info({}, 'on it goes');
      expect(readFileSync(join(folder, 'away', 'agent.log'), 'utf8')).toMatch(/cannot be opened anew[\s\S]*on it goes/);
      rmSync(join(folder, 'logs'));
      log.reopen();
      log.info({}, 'there again');
      expect(readFileSync(file, 'utf8')).toContain('there again');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('names a file that cannot be opened', () => {
    const folder = mkdtempSync(join(tmpdir(), 'log-'));
    try {
      for (const file of [folder, join(folder, 'file', 'agent.log')]) {
        writeFileSync(join(folder, 'file'), '');
        const made = () => createLogger({ level: 'info', format: 'auto', file, secrets: () => [] });
        expect(made).toThrow(expect.objectContaining({ code: 'FILE_UNWRITABLE', exit: 77 }));
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('says what an error was, in one line', () => {
    const { log, records } = capture();
    log.error({ error: Object.assign(new Error('no space'), { code: 'ENOSPC' }) }, 'not stored');
    expect(records()[0].error).toBe('Error: ENOSPC no space');
  });
});
