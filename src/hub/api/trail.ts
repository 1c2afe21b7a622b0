import { stream } from 'hono/streaming';
import { ScoutError } from '../../support/errors.ts';
import { auditLines, verifyAudit } from '../audit/audit.ts';
import { Refusal } from '../http/problems.ts';
import type { Router } from '../http/router.ts';

const PAGE_MOST = 1_000;
const PAGE = 100;

/** Mounts the audit trail: a page of it, all of it as JSON lines, and whether its chain is whole. */
export function mountTrail(router: Router): void {
  router.on('GET /api/v1/audit', async (c) => {
    const [from, most] = [count(c.req.query('from'), 1), Math.min(count(c.req.query('most'), PAGE), PAGE_MOST)];
    const { store, org } = c.get('registry');
    const lines = await store.auditTrail(org, from, most + 1);
    const next = lines.length > most ? (lines[most]?.seq ?? null) : null;
    return c.json({ lines: lines.slice(0, most), next });
  });

  router.on('GET /api/v1/audit/export', (c) => {
    const { store, org } = c.get('registry');
    c.header('content-type', 'application/x-ndjson');
    c.header('content-disposition', 'attachment; filename="audit.jsonl"');
    return stream(c, async (out) => {
      for await (const line of auditLines(store, org)) {
        if (out.aborted) return;
        await out.write(`${JSON.stringify(line)}\n`);
      }
    });
  });

  router.on('GET /api/v1/audit/verify', async (c) => {
    const { store, org } = c.get('registry');
    try {
      return c.json({ ok: true, ...(await verifyAudit(auditLines(store, org))) });
    } catch (error) {
      if (!(error instanceof ScoutError) || error.code !== 'HUB_AUDIT_BROKEN') throw error;
      const { code, message } = error.problem;
      return c.json({ ok: false, code, message });
    }
  });
}

function count(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const number = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (number < 1) throw new Refusal('bad_request', '`from` and `most` are whole numbers from 1 on.');
  return number;
}
