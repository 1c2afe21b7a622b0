import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Files } from '../../src/collectors/files.ts';
import { thermal } from '../../src/collectors/thermal.ts';
import type { Metric } from '../../src/protocol/heartbeat.ts';
import { fixtureHost } from '../helpers/fixture-host.ts';

const sys = mkdtempSync(join(os.tmpdir(), 'scout-thermal-'));
afterAll(() => rmSync(sys, { recursive: true }));
const chip = (number: number, files: Record<string, string>) => {
  mkdirSync(join(sys, `class/hwmon/hwmon${number}`), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(sys, `class/hwmon/hwmon${number}`, name), text);
};

describe('thermal', () => {
  it('tells alike chips apart, reads below zero, and does without a sensor that is silent', () => {
    chip(0, { name: 'nvme\n', temp1_input: '38850\n' });
    chip(1, { name: 'nvme\n', temp1_input: '-5500\n', temp1_label: 'Composite\n' });
    chip(2, { name: 'asleep\n', temp1_input: '' });
    chip(3, { name: 'fan\n', fan1_input: '900\n' });
    const files = new Files();
    const [temperatures] = thermal.create(fixtureHost('rhel-8', { sys }), { enabled: true }, files).collect() as Metric[];
    expect(temperatures?.points).toEqual([
      ['nvme/temp1', 'nvme', 38.85],
      ['nvme-1/temp1', 'Composite', -5.5],
    ]);
    files.close();
  });

  it('has nothing to say on a machine without sensors, sample after sample', () => {
    const collector = thermal.create(fixtureHost('linux-3.10'), { enabled: true }, new Files());
    for (let sample = 0; sample < 3; sample++) expect(() => collector.collect()).toThrow('no temperature sensors');
  });
});
