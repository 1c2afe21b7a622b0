import { readdirSync } from 'node:fs';
import { parseNumbers } from '../procfs/numbers.ts';
import type { Metric, Point } from '../protocol/heartbeat.ts';
import type { Host } from '../support/host.ts';
import { type Collector, type CollectorDefinition, metric } from './collector.ts';
import { type Files, isAbsent, isDenied, Unsupported } from './files.ts';

/** Samples between two looks at which sensors there are: modules are loaded, disks are plugged. */
const LOOK_AGAIN = 60;

interface Sensor {
  id: string;
  name: string;
  input: string;
  /** Degrees Celsius at which the hardware protects itself. */
  critical: number | undefined;
}

class Thermal implements Collector {
  readonly #host: Host;
  readonly #files: Files;
  #sensors: Sensor[] = [];
  #sample = 0;
  #denied: string[] = [];

  constructor(host: Host, files: Files) {
    this.#host = host;
    this.#files = files;
  }

  collect(): Metric[] {
    if (this.#sample++ % LOOK_AGAIN === 0) this.#look();
    if (this.#sensors.length === 0) throw new Unsupported('no temperature sensors');
    this.#denied = [];
    const temperatures: Point[] = [];
    const limits: Point[] = [];
    for (const { id, name, input, critical } of this.#sensors) {
      const value = this.#degrees(input);
      if (value === undefined) continue;
      temperatures.push([id, name, value]);
      if (critical !== undefined) limits.push([id, name, 'critical', critical]);
    }
    if (temperatures.length === 0) return [];
    return [
      metric('hw.temperature', 'Cel', 'gauge', ['hw.id', 'hw.name'], temperatures),
      ...(limits.length > 0 ? [metric('hw.temperature.limit', 'Cel', 'gauge', ['hw.id', 'hw.name', 'hw.limit_type'], limits)] : []),
    ];
  }

  denied(): string[] {
    return this.#denied;
  }

  /** Chips of hwmon; where there are none, the zones of the thermal framework (boards). */
  #look(): void {
    this.#sensors = this.#hwmon();
    if (this.#sensors.length === 0) this.#sensors = this.#zones();
  }

  #hwmon(): Sensor[] {
    const found: Sensor[] = [];
    const chips = new Map<string, number>();
    for (const folder of list(`${this.#host.sys}/class/hwmon`)) {
      const path = `${this.#host.sys}/class/hwmon/${folder}`;
      const chip = this.#files.brief(`${path}/name`)?.trim() || folder;
      // hwmonN changes from boot to boot; the chip's name and its turn among its like do not.
      const turn = chips.get(chip) ?? 0;
      chips.set(chip, turn + 1);
      for (const file of list(path)) {
        const index = /^temp(\d+)_input$/.exec(file)?.[1];
        if (!index) continue;
        found.push({
          id: `${chip}${turn > 0 ? `-${turn}` : ''}/temp${index}`,
          name: this.#files.brief(`${path}/temp${index}_label`)?.trim() || chip,
          input: `${path}/${file}`,
          critical: this.#brief(`${path}/temp${index}_crit`),
        });
      }
    }
    return found;
  }

  #zones(): Sensor[] {
    return list(`${this.#host.sys}/class/thermal`)
      .filter((folder) => folder.startsWith('thermal_zone'))
      .map((folder) => {
        const path = `${this.#host.sys}/class/thermal/${folder}`;
        const type = this.#files.brief(`${path}/type`)?.trim() || folder;
        return { id: folder, name: type, input: `${path}/temp`, critical: undefined };
      });
  }

  #brief(path: string): number | undefined {
    const [value] = parseNumbers(this.#files.brief(path) ?? '');
    return value === undefined ? undefined : value / 1_000;
  }

  #degrees(path: string): number | undefined {
    try {
      const [value] = parseNumbers(this.#files.text(path));
      return value === undefined ? undefined : value / 1_000;
    } catch (error) {
      if (isDenied(error)) this.#denied.push(path);
      // A sensor that is asleep or has no reading says so with EIO, EAGAIN or ENODATA: the others count all the same.
      return undefined;
    }
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

export const thermal: CollectorDefinition<'thermal'> = {
  name: 'thermal',
  summary: 'Temperatures of processors, disks and boards.',
  create: (host, _settings, files) => new Thermal(host, files),
};
