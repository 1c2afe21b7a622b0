import type { Hub } from '../hub.ts';
import type { AuditLine } from '../store/records.ts';
import { auditLines, verifyAudit } from './audit.ts';

/** Lines hashed before others get their turn of the event loop. */
const AT_ONCE = 200;

/**
 * Walks the audit trail of every organisation once, and tells the log of one that is broken. The hub goes on: to shut a
 * fleet out would be the greater harm. Throws what the store throws.
 */
export async function verifyTrails({ store, log }: Pick<Hub, 'store' | 'log'>, signal: AbortSignal): Promise<void> {
  for (const { id, name } of await store.organisations()) {
    try {
      await verifyAudit(paced(auditLines(store, id), signal));
    } catch (error) {
      if (signal.aborted) return;
      log?.error({ err: error, organisation: name }, 'the audit trail of an organisation is not whole');
    }
  }
}

async function* paced(lines: AsyncGenerator<AuditLine>, signal: AbortSignal): AsyncGenerator<AuditLine> {
  let count = 0;
  for await (const line of lines) {
    yield line;
    if (++count % AT_ONCE !== 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
}
