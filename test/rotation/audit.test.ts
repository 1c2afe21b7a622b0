import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { verb } from '../../src/cli/agent/audit.ts';
import { out } from '../../src/cli/output.ts';
import { createProgram } from '../../src/cli/program.ts';
import { EMPTY_KEYRING, KEYRING } from '../../src/credentials/keyring.ts';
import { writeKeyring } from '../../src/credentials/keyring-file.ts';
import { readAudit, verifyAudit } from '../../src/rotation/audit.ts';
import type { AuditLine } from '../../src/rotation/journal.ts';
import { AUDIT } from '../../src/rotation/store.ts';
import { link } from '../../src/support/chain.ts';
import { ScoutError } from '../../src/support/errors.ts';
import { auditEntry } from '../credentials/keyrings.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(os.tmpdir(), 'scout-audit-'));
  path = join(folder, AUDIT);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Entry = Omit<AuditLine, 'seq' | 'prev' | 'hash'>;

function chain(entries: Entry[]): AuditLine[] {
  const lines: AuditLine[] = [];
  for (const entry of entries) lines.push(link(entry, lines.at(-1) ?? null));
  return lines;
}

const chains = (minLength: number) => fc.array(auditEntry, { minLength, maxLength: 6 }).map(chain);
const some = (count: number) => chain(Array.from({ length: count }, (_, index) => entry(`the ${index}th`)));
const entry = (reason: string): Entry => ({
  time: '2026-01-01T00:00:00.000Z',
  actor: 'root',
  event: 'STAGED',
  rotation: 'r',
  from: 'a'.repeat(12),
  to: 'b'.repeat(12),
  reason,
});

const text = (lines: AuditLine[]) => lines.map((line) => JSON.stringify(line));
const last = (lines: AuditLine[]) => lines.at(-1) as AuditLine;

/** The verdict on a log of these lines of text. */
function verdict(lines: (string | Buffer)[], anchor: AuditLine | null) {
  writeFileSync(path, Buffer.concat(lines.map((line) => Buffer.concat([Buffer.from(line), Buffer.from('\n')]))));
  return verifyAudit(path, anchor);
}

const isBroken = (lines: (string | Buffer)[], anchor: AuditLine | null) => verdict(lines, anchor).fault !== undefined;

describe('a log', () => {
  it('is unbroken as it was written', () => {
    fc.assert(
      fc.property(chains(1), (lines) => {
        expect(verdict(text(lines), last(lines))).toEqual({ lines: lines.length, notes: [] });
        expect(readAudit(path).map(({ line }) => line)).toEqual(lines);
      }),
    );
  });

  it('is broken by any byte that was changed, wherever', () => {
    fc.assert(
      fc.property(chains(1), fc.nat(), fc.integer({ min: 1, max: 255 }), (lines, at, by) => {
        const bytes = Buffer.from(`${text(lines).join('\n')}\n`);
        // The very last line end says nothing.
        const place = at % (bytes.length - 1);
        bytes[place] = (bytes[place] as number) ^ by;
        writeFileSync(path, bytes);
        expect(verifyAudit(path, last(lines)).fault).toBeDefined();
      }),
      { numRuns: 1_000 },
    );
  });

  it('is broken by a line that was removed, also at the end, but for the very last, which the keyring has', () => {
    fc.assert(
      fc.property(chains(2), fc.nat(), fc.integer({ min: 1, max: 3 }), (lines, at, count) => {
        const left = text(lines);
        left.splice(at % lines.length, count);
        expect(isBroken(left, last(lines))).toBe(left.length !== lines.length - 1 || left.at(-1) === text(lines).at(-1));
      }),
    );
  });

  it('is broken by a line that was added: another one, one of its own, or text', () => {
    fc.assert(
      fc.property(chains(1), fc.nat(), fc.nat(), fc.nat(2), auditEntry, (lines, at, which, kind, more) => {
        const place = at % (lines.length + 1);
        const copies = text(lines);
        const added = [JSON.stringify(link(more, lines[place - 1] ?? null)), copies[which % lines.length] as string, '# nothing'][
          kind
        ] as string;
        copies.splice(place, 0, added);
        expect(isBroken(copies, last(lines))).toBe(true);
      }),
    );
  });

  it('is broken by two lines that were swapped', () => {
    fc.assert(
      fc.property(chains(2), fc.nat(), fc.nat(), (lines, one, other) => {
        const [a, b] = [one % lines.length, other % lines.length];
        fc.pre(a !== b);
        const copies = text(lines);
        [copies[a], copies[b]] = [copies[b] as string, copies[a] as string];
        expect(isBroken(copies, last(lines))).toBe(true);
      }),
    );
  });

  it('is broken by another end with right hashes', () => {
    fc.assert(
      fc.property(chains(1), auditEntry, (lines, more) => {
        const before = lines.slice(0, -1);
        const forged = link(more, before.at(-1) ?? null);
        fc.pre(forged.hash !== last(lines).hash);
        expect(verdict(text([...before, forged]), last(lines)).fault).toMatchObject({
          at: lines.length,
          detail: expect.stringContaining('replaced'),
        });
        expect(isBroken(text([...lines, link(more, last(lines))]), last(lines))).toBe(true);
      }),
    );
  });

  it('is broken where it is empty or gone, and the keyring knows of more than its first line', () => {
    const lines = some(2);
    expect(verifyAudit(path, last(lines)).fault).toMatchObject({ at: 1, detail: expect.stringContaining('2 lines') });
    expect(isBroken([], last(lines))).toBe(true);
    expect(verdict([], lines[0] as AuditLine)).toMatchObject({ lines: 0, notes: [expect.stringContaining('keyring only')] });
  });

  it('is broken by the same content in another writing, and by a copy in the keyring that was edited', () => {
    const lines = some(1);
    const [line = ''] = text(lines);
    for (const other of [
      ` ${line}`,
      `${line} `,
      line.replace(':1,', ': 1,'),
      line.replace('root', '\\u0072oot'),
      `${line.slice(0, -1)},"seq":1}`,
    ])
      expect(verdict([other], last(lines)).fault, other).toBeDefined();
    expect(isBroken([line], { ...last(lines), actor: 'ann' })).toBe(true);
  });

  it('says which line, and is not there before the first rotation', () => {
    const lines = some(3);
    const copies = text(lines);
    copies[1] = (copies[1] as string).replace('root', 'anna');
    expect(verdict(copies, last(lines))).toMatchObject({ lines: 1, fault: { at: 2, detail: expect.stringContaining('edited') } });
    rmSync(path);
    expect(() => readAudit(path)).toThrow(expect.objectContaining({ code: 'AUDIT_ABSENT' }));
    expect(() => verifyAudit(path, null)).toThrow(expect.objectContaining({ code: 'AUDIT_ABSENT' }));
    expect(() => readAudit(folder)).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE' }));
  });

  it('whose keyring is gone is checked but for its end', () => {
    const lines = some(3);
    expect(verdict(text(lines), null)).toEqual({ lines: 3, notes: [expect.stringContaining('no keyring')] });
    expect(isBroken(text(lines).slice(1), null)).toBe(true);
  });
});

describe('what a crash left', () => {
  it('is a note where the whole line follows, at any length, also in the middle of a letter, and with zeros', () => {
    fc.assert(
      fc.property(chains(1), fc.nat(), fc.nat(), fc.nat(5), fc.boolean(), (lines, which, cut, zeros, twice) => {
        const copies: Buffer[] = text(lines).map((line) => Buffer.from(line));
        const at = which % lines.length;
        const whole = copies[at] as Buffer;
        const torn = Buffer.concat([whole.subarray(0, 1 + (cut % (whole.length - 2))), Buffer.alloc(zeros)]);
        copies.splice(at, 0, ...(twice ? [torn, torn] : [torn]));
        expect(verdict(copies, last(lines))).toMatchObject({
          lines: lines.length,
          notes: expect.objectContaining({ length: twice ? 2 : 1 }),
        });
        expect(verifyAudit(path, last(lines)).fault).toBeUndefined();
      }),
    );
  });

  it('is a note at the end where the keyring has the whole line, and a fault where it has not', () => {
    const lines = some(3);
    const copies = text(lines);
    const torn = (copies[2] as string).slice(0, 40);
    writeFileSync(path, `${copies[0]}\n${copies[1]}\n${torn}`);
    expect(verifyAudit(path, lines[2] as AuditLine)).toEqual({ lines: 2, notes: [expect.any(String), expect.any(String)] });
    expect(verifyAudit(path, lines[1] as AuditLine).fault).toMatchObject({ at: 3 });
    expect(verifyAudit(path, null).fault).toMatchObject({ at: 3 });
  });

  it('is a fault where no such line follows', () => {
    const lines = some(2);
    const [one = '', two = ''] = text(lines);
    expect(verdict([one, one.slice(0, 90), two], last(lines)).fault).toMatchObject({ at: 2 });
    expect(verdict([one, '', two], last(lines)).fault).toMatchObject({ at: 2 });
    expect(verdict([one, `${two.slice(0, 40)}\0x`, two], last(lines)).fault).toMatchObject({ at: 2 });
  });
});

/** Runs the verb in this process. */
async function run(...args: string[]): Promise<{ text: string; notes: string; error: unknown; status: unknown }> {
  const said: Record<'line' | 'note', string[]> = { line: [], note: [] };
  const mocks = [
    vi.spyOn(out, 'line').mockImplementation((one = '') => void said.line.push(one)),
    vi.spyOn(out, 'json').mockImplementation((value) => void said.line.push(JSON.stringify(value))),
    vi.spyOn(out, 'note').mockImplementation((one) => void said.note.push(one)),
  ];
  onTestFinished(() => {
    for (const mock of mocks) mock.mockRestore();
    process.exitCode = undefined;
  });
  const program = createProgram('scout-agent', 'test');
  verb(program);
  const error = await program.parseAsync(['audit', ...args, '--state-dir', folder], { from: 'user' }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { text: said.line.join('\n'), notes: said.note.join('\n'), error, status: process.exitCode };
}

describe('audit', () => {
  const keep = (lines: AuditLine[]) => {
    writeFileSync(path, `${text(lines).join('\n')}\n`);
    writeKeyring(join(folder, KEYRING), { ...EMPTY_KEYRING, audit: last(lines) });
  };

  it('verify counts the lines of an unbroken log', async () => {
    keep(some(3));
    expect(await run('verify')).toEqual({ text: `${path}: 3 lines, unbroken`, notes: '', error: undefined, status: undefined });
    expect(JSON.parse((await run('verify', '--json')).text)).toEqual({ ok: true, path, lines: 3, notes: [], fault: null });
    keep(some(1));
    expect((await run('verify')).text).toContain('1 line, unbroken');
  });

  it('verify fails for one that was cut off', async () => {
    const lines = some(3);
    keep(lines);
    writeFileSync(path, `${text(lines)[0]}\n`);
    const { error } = await run('verify');
    expect(error).toBeInstanceOf(ScoutError);
    expect(error).toMatchObject({ code: 'AUDIT_BROKEN', exit: 1 });
    const { text: json, status } = await run('verify', '--json');
    expect(JSON.parse(json)).toMatchObject({ ok: false, fault: { line: 1 } });
    expect(status).toBe(1);
  });

  it('says that there is none, and what is wrong with the keyring', async () => {
    expect((await run('verify')).error).toMatchObject({ code: 'AUDIT_ABSENT', exit: 1 });
    expect((await run('show')).error).toMatchObject({ code: 'AUDIT_ABSENT', exit: 1 });
    keep(some(1));
    writeFileSync(join(folder, KEYRING), '{');
    expect((await run('verify')).error).toMatchObject({ code: 'KEYRING_DAMAGED' });
  });

  it('show prints what is there, broken or not, and nothing that steers a terminal', async () => {
    const [one, two] = chain([entry('first'), entry('\x1b[2J\n\u202esecond')]) as [AuditLine, AuditLine];
    keep([one, two]);
    writeFileSync(path, `${JSON.stringify(one)}\n{"torn\n${JSON.stringify(two)}\n`);
    const { text: shown, notes } = await run('show');
    expect(shown.split('\n')).toHaveLength(3);
    expect(shown).toMatch(/STAGED +a{12} → b{12} +root +first/);
    expect(shown.replace('\n', '')).not.toMatch(/\x1b\[2J|\u202e/);
    expect(notes).toContain('line 2');
    expect(JSON.parse((await run('show', '--json')).text)).toEqual([one, two]);
  });

  it('show puts up with a line that holds anything', async () => {
    writeFileSync(path, '{}\n{"time":{},"from":[1],"event":null}\n[1]\n7\n');
    expect((await run('show')).text.split('\n')).toHaveLength(3);
  });
});
