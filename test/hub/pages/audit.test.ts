import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseExport, verifyAudit } from '../../../src/hub/audit/audit.ts';
import { AUDIT_PAGE, viewAudit } from '../../../src/hub/pages/audit-view.ts';
import type { AuditEntry } from '../../../src/hub/store/store.ts';
import { PlainBrowser } from './browser.ts';
import { TestHub } from './setup.ts';

let hub: TestHub;
let browser: PlainBrowser;
beforeEach(async () => {
  hub = new TestHub();
  browser = new PlainBrowser(hub, await hub.enter('ada', 'admin'));
});
afterEach(() => hub.close());

const entry = (i: number, over: Partial<AuditEntry> = {}): AuditEntry => ({
  org: 'default',
  at: hub.time,
  actor: 'user:ada',
  action: 'key.rotate',
  subject: `server:web-${i}`,
  detail: { key: 'abcdef012345' },
  address: null,
  ...over,
});
const ALL = { who: '', what: '', on: '' };
const view = (filter = {}, before?: number) => viewAudit(hub.store, 'default', { ...ALL, ...filter }, before, false);

describe('the audit trail on the page', () => {
  it('comes in pages, the newest first, each line once', async () => {
    for (let i = 0; i < 250; i++) await hub.store.audit(entry(i));
    const seen: number[] = [];
    let before: number | undefined;
    do {
      const page = await view({}, before);
      expect(page.lines.length).toBeLessThanOrEqual(AUDIT_PAGE);
      expect(page.last).toBe(251);
      seen.push(...page.lines.map((line) => line.seq));
      before = page.before;
    } while (before !== undefined);
    expect(seen).toEqual(Array.from({ length: 251 }, (_, i) => 251 - i));
  });

  it('is narrowed down by who, what and on what', async () => {
    await hub.store.audit(entry(1));
    await hub.store.audit(entry(2, { actor: 'cli:root', action: 'key.retire' }));
    const subjects = async (filter: object) => (await view(filter)).lines.map((line) => line.subject);
    expect(await subjects({ who: 'CLI' })).toEqual(['server:web-2']);
    expect(await subjects({ what: 'rotate' })).toEqual(['server:web-1']);
    expect(await subjects({ on: 'web-', who: 'ada' })).toEqual(['server:web-1']);
    const page = await browser.open('/audit?on=web-2');
    expect(page.text).toContain('key.retire');
    expect(page.text).not.toContain('key.rotate</code>');
  });

  it('escapes what was written, and shows nothing of an empty one', async () => {
    await hub.store.audit(entry(1, { subject: 'server:<script>alert(1)</script>', detail: { '<b>': '<i>' } }));
    const { text } = await browser.open('/audit?who=%3Cscript%3E');
    expect(text).not.toContain('<script>alert');
    expect((await browser.open('/audit')).text).not.toMatch(/<b>|<i>/);
    expect(await viewAudit(hub.store, 'nobody', ALL, undefined, false)).toMatchObject({ last: 0, lines: [], before: undefined });
  });

  it('is exported as the command line prints it, and verified with its result', async () => {
    for (let i = 0; i < 3; i++) await hub.store.audit(entry(i));
    const page = await browser.open('/audit');
    expect(page.text).toContain('verified</span> 4 lines');
    const file = await browser.open('/audit/export');
    expect(file.headers.get('content-disposition')).toBe('attachment; filename="audit-2026-01-31.json"');
    const lines = parseExport(file.text, 'audit.json');
    const { last } = await verifyAudit(lines);
    expect(lines).toHaveLength(4);
    expect(page.text).toContain(last ?? 'none');
  });

  it('says where the chain is broken', async () => {
    for (let i = 0; i < 3; i++) await hub.store.audit(entry(i));
    const database = new DatabaseSync(join(hub.folder, 'hub.db'));
    database.exec(`DROP TRIGGER audit_no_update; UPDATE audit SET line = replace(line, 'web-1', 'web-7')`);
    database.close();
    expect((await browser.open('/audit')).text).toContain('The chain is broken:');
  });
});
