import { Forwarder } from '../forward/forwarder.ts';
import { Receiver, type ReceiverOptions } from '../forward/receiver.ts';
import type { Hub } from '../hub.ts';
import { Watch } from '../notices/watch.ts';
import { Webhook, type WebhookOptions } from '../notices/webhook.ts';
import { Roller } from '../rollups/roller.ts';
import { type Duty, DutyRunner } from './duty.ts';
import type { Figure } from './figures.ts';

export interface DutyOptions {
  /** How long roll-ups are kept, ms; 0 for none. */
  historyMs: number;
  /** Where heartbeats are handed on; `from`: what is sent first when this is used for the first time. */
  forward?: ReceiverOptions & { from: 'now' | 'start' };
  /** Who is told of servers that fall silent; `graceMs`: how long after the hub's start nobody is told so. */
  webhook?: WebhookOptions & { graceMs?: number };
}

/** All that the hub does beside serving. */
export class Duties {
  readonly #runners: DutyRunner[];
  readonly #figures: (() => Figure[])[];

  /** Throws HUB_SECRET_FILE, TLS_FILE. */
  static of(hub: Hub, { historyMs, forward, webhook }: DutyOptions): Duties {
    const duties: (Duty & { figures?(): Figure[] })[] = [];
    if (historyMs > 0) duties.push(new Roller(hub));
    if (forward) duties.push(new Forwarder(hub, new Receiver(hub, forward), forward.from));
    if (webhook) duties.push(new Watch(hub, webhook.graceMs), new Webhook(hub, webhook));
    return new Duties(
      duties.map((duty) => new DutyRunner(hub, duty)),
      duties.flatMap((duty) => (duty.figures ? () => duty.figures?.() ?? [] : [])),
    );
  }

  constructor(runners: DutyRunner[], figures: (() => Figure[])[]) {
    this.#runners = runners;
    this.#figures = figures;
  }

  start(): void {
    for (const runner of this.#runners) runner.start();
  }

  /** Lets what is under way end. */
  async stop(): Promise<void> {
    await Promise.all(this.#runners.map((runner) => runner.stop()));
  }

  figures(): Figure[] {
    return this.#figures.flatMap((of) => of());
  }
}
