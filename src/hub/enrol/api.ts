import { enrollSchema } from '../../protocol/enroll.ts';
import type { Gate } from '../http/gate.ts';
import { Refusal } from '../http/problems.ts';
import { addressOf, bodyOf } from '../http/requests.ts';
import type { Router } from '../http/router.ts';
import type { Hub } from '../hub.ts';
import { enroll } from './enroll.ts';

/** The routes by which a host without a key gets in: enroll, and the certificate that its token tells from a forgery. */
export function mountEnroll(router: Router, hub: Hub, gate: Gate): void {
  router.on('POST /api/v1/enroll', async (c) => {
    const address = addressOf(c);
    try {
      return c.json(await enroll(hub, await bodyOf(c, enrollSchema), address));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // Guessing a token is like guessing a key, and counts with it.
      throw error.code === 'token_refused' ? gate.fail(error, address) : gate.count(error);
    }
  });

  router.on('GET /api/v1/authority', (c) => {
    const certificate = hub.authority?.();
    if (certificate === undefined) throw new Refusal('not_found', 'The certificate of this service is not from an authority of its own.');
    return c.json({ certificate });
  });
}
