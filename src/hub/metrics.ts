import type { Figure } from './duties/figures.ts';

/** Upper bounds of the duration buckets, in seconds. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

class Histogram {
  readonly counts: number[] = BOUNDS.map(() => 0);
  sum = 0;
  count = 0;

  observe(seconds: number): void {
    this.sum += seconds;
    this.count++;
    const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
  }
}

/** The hub's own figures, as Prometheus reads them (text exposition format 0.0.4). */
export class Metrics {
  accepted = 0;
  duplicates = 0;
  readonly #refused = new Map<number, number>();
  readonly #durations = new Map<string, Histogram>();

  refuse(status: number): void {
    this.#refused.set(status, (this.#refused.get(status) ?? 0) + 1);
  }

  /** One answered request; `route` is one of a few fixed words, never a path that a client chose. */
  observe(route: string, seconds: number): void {
    const found = this.#durations.get(route) ?? new Histogram();
    this.#durations.set(route, found);
    found.observe(seconds);
  }

  render(store: { servers: number; bytes: number }, more: Figure[] = []): string {
    return [
      ...family('scout_hub_heartbeats_accepted_total', 'counter', 'Heartbeats stored.', [['', this.accepted]]),
      ...family('scout_hub_heartbeats_duplicate_total', 'counter', 'Heartbeats that had been stored before.', [['', this.duplicates]]),
      ...family('scout_hub_requests_refused_total', 'counter', 'Requests of agents refused, by status.', [
        ...[...this.#refused].map(([status, count]): [string, number] => [`{status="${status}"}`, count]),
      ]),
      ...family('scout_hub_request_duration_seconds', 'histogram', 'From the headers of a request to the end of its answer.', [
        ...[...this.#durations].flatMap(([route, histogram]) => buckets(route, histogram)),
      ]),
      ...family('scout_hub_servers', 'gauge', 'Registered servers.', [['', store.servers]]),
      ...family('scout_hub_store_bytes', 'gauge', 'Size of the database.', [['', store.bytes]]),
      ...family('process_resident_memory_bytes', 'gauge', 'Resident memory of the hub.', [['', process.memoryUsage.rss()]]),
      ...more.flatMap(({ name, type, help, value }) => family(name, type, help, [['', value]])),
      '',
    ].join('\n');
  }
}

function family(name: string, type: string, help: string, samples: [string, number][]): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples.map(([suffix, value]) => `${name}${suffix} ${value}`)];
}

function buckets(route: string, histogram: Histogram): [string, number][] {
  const label = `route="${route}"`;
  let below = 0;
  const counted = BOUNDS.map((bound, index): [string, number] => {
    below += histogram.counts[index] ?? 0;
    return [`_bucket{${label},le="${bound}"}`, below];
  });
  return [
    ...counted,
    [`_bucket{${label},le="+Inf"}`, histogram.count],
    [`_sum{${label}}`, histogram.sum],
    [`_count{${label}}`, histogram.count],
  ];
}
