import { expect, it } from 'vitest';
import { Metrics } from '../../src/hub/metrics.ts';

it('renders figures as Prometheus reads them, buckets cumulative', () => {
  const metrics = new Metrics();
  metrics.accepted = 7;
  metrics.duplicates = 2;
  metrics.refuse(401);
  metrics.refuse(401);
  for (const seconds of [0.0005, 0.001, 0.03, 99]) metrics.observe('heartbeats', seconds);
  const more = { name: 'scout_hub_forwarded_total', type: 'counter', help: 'Heartbeats that the receiver took.', value: 5 } as const;
  const lines = metrics.render({ servers: 3, bytes: 4_096 }, [more]).split('\n');
  expect(lines).toContain('scout_hub_heartbeats_accepted_total 7');
  expect(lines).toContain('scout_hub_heartbeats_duplicate_total 2');
  expect(lines).toContain('scout_hub_requests_refused_total{status="401"} 2');
  expect(lines).toContain('scout_hub_request_duration_seconds_bucket{route="heartbeats",le="0.001"} 2');
  expect(lines).toContain('scout_hub_request_duration_seconds_bucket{route="heartbeats",le="0.05"} 3');
  expect(lines).toContain('scout_hub_request_duration_seconds_bucket{route="heartbeats",le="+Inf"} 4');
  expect(lines).toContain('scout_hub_request_duration_seconds_count{route="heartbeats"} 4');
  expect(lines).toContain('scout_hub_servers 3');
  expect(lines).toContain('# TYPE scout_hub_forwarded_total counter');
  expect(lines).toContain('scout_hub_forwarded_total 5');
  for (const line of lines) expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]+\})? [\d.e+-]+|)$/);
});
