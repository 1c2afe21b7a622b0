import type { Unit } from './format.ts';
import type { Reading } from './readings.ts';
import { type Attributes, type Label, type Lines, mapLines, ratesOf, valuesOf } from './series.ts';

/** One chart of the server page. */
export interface ChartDefinition {
  id: string;
  title: string;
  unit: Unit;
  /** Lines are laid upon each other: they are parts of one whole. */
  stacked?: boolean;
  /** Upper end of the scale, where there is a natural one. */
  top?: number;
  /** Metrics it is made from. */
  metrics: string[];
  draw(readings: Reading[], step: number): Lines;
}

/** A chart with its numbers, as the page tells them and the script draws them. */
export interface Chart extends Omit<ChartDefinition, 'draw' | 'metrics'> {
  times: number[];
  series: { label: string; values: (number | null)[]; latest: number | null; least: number | null; most: number | null }[];
  /** Labels of the parts that were zero all the time; not worth a line. */
  zero: string[];
  /** How many lines found no room. */
  left: number;
}

/** More lines than this nobody can tell apart; the ones with the highest peaks are kept. */
const MOST_LINES = 8;

const text = (attributes: Attributes, name: string): string => String(attributes[name] ?? '');
const ranked = (order: string[], label: string): number => (order.indexOf(label) + order.length + 1) % (order.length + 1);

/** Lines in the order given, others behind them. */
function ordered({ times, lines }: Lines, order: string[]): Lines {
  return { times, lines: new Map([...lines].sort(([a], [b]) => ranked(order, a) - ranked(order, b))) };
}

/** Parts of each moment's whole, in percent; the parts left out by `shown` count for the whole only. */
function shares(lines: Lines, shown: (label: string) => boolean): Lines {
  const all = mapLines(lines, (value, moment) => {
    let whole = 0;
    for (const part of moment.values()) whole += part;
    return whole > 0 ? (100 * value) / whole : null;
  });
  return { times: all.times, lines: new Map([...all.lines].filter(([label]) => shown(label))) };
}

const CPU_MODES = ['user', 'system', 'nice', 'iowait', 'interrupt', 'softirq', 'steal'];
const cpuMode: Label = (attributes) => text(attributes, 'cpu.mode');

const MEMORY_STATES = ['used', 'buffers', 'cached', 'free'];
/** Devices that others are made of or that are made of others would count the same bytes twice. */
const VIRTUAL_DISK = /^(loop|ram|zram|dm-|md|sr|fd)\d*/;
const VIRTUAL_LINK = /^(lo$|veth|docker|br-|virbr|cni|flannel|cali|tap|vnet|dummy|ifb)/;
const direction = (kind: string, device: string, skipped: RegExp, names: Record<string, string>): Label => {
  return (attributes) => (skipped.test(text(attributes, device)) ? undefined : names[text(attributes, kind)]);
};

const used = (value: number, whole: number): number => (whole > 0 ? (100 * value) / whole : 0);

/** Share of each file system that is used, reckoned as df does: what only root may take counts for neither side. */
function fileSystems(readings: Reading[], step: number): Lines {
  const name = 'system.filesystem.usage';
  const mount = (attributes: Attributes) => text(attributes, 'system.filesystem.mountpoint');
  const states =
    (wanted: string): Label =>
    (attributes) =>
      text(attributes, 'system.filesystem.state') === wanted ? mount(attributes) : undefined;
  const taken = valuesOf(readings, name, states('used'), step);
  const free = valuesOf(readings, name, states('free'), step);
  const lines = [...taken.lines].map(([label, values]): [string, (number | null)[]] => {
    const room = free.lines.get(label);
    return [label, values.map((value, i) => (value === null || typeof room?.[i] !== 'number' ? null : used(value, value + room[i])))];
  });
  return { times: taken.times, lines: new Map(lines) };
}

/** The charts of the server page, in their order. */
export const CHARTS: readonly ChartDefinition[] = [
  {
    id: 'cpu',
    title: 'Processor',
    unit: 'percent',
    stacked: true,
    top: 100,
    metrics: ['system.cpu.time'],
    draw: (readings, step) =>
      ordered(
        shares(ratesOf(readings, 'system.cpu.time', cpuMode, step), (mode) => mode !== 'idle'),
        CPU_MODES,
      ),
  },
  {
    id: 'load',
    title: 'Load average',
    unit: 'number',
    metrics: ['scout.load'],
    draw: (readings, step) => valuesOf(readings, 'scout.load', (row) => text(row, 'period'), step),
  },
  {
    id: 'memory',
    title: 'Memory',
    unit: 'bytes',
    stacked: true,
    metrics: ['system.memory.usage'],
    draw: (readings, step) =>
      ordered(
        valuesOf(readings, 'system.memory.usage', (row) => text(row, 'system.memory.state'), step),
        MEMORY_STATES,
      ),
  },
  {
    id: 'pressure',
    title: 'Pressure',
    unit: 'percent',
    metrics: ['scout.pressure.time'],
    draw: (readings, step) =>
      mapLines(
        ratesOf(readings, 'scout.pressure.time', (row) => `${text(row, 'resource')} ${text(row, 'kind')}`, step),
        (value) => 100 * value,
      ),
  },
  {
    id: 'disk',
    title: 'Disks',
    unit: 'bytes/s',
    metrics: ['system.disk.io'],
    draw: (readings, step) => {
      const label = direction('disk.io.direction', 'system.device', VIRTUAL_DISK, { read: 'read', write: 'written' });
      return ratesOf(readings, 'system.disk.io', label, step);
    },
  },
  {
    id: 'network',
    title: 'Network',
    unit: 'bytes/s',
    metrics: ['system.network.io'],
    draw: (readings, step) => {
      const label = direction('network.io.direction', 'network.interface.name', VIRTUAL_LINK, { receive: 'received', transmit: 'sent' });
      return ratesOf(readings, 'system.network.io', label, step);
    },
  },
  {
    id: 'filesystems',
    title: 'File systems',
    unit: 'percent',
    top: 100,
    metrics: ['system.filesystem.usage'],
    draw: fileSystems,
  },
];

/** What each core does: all that is not idle, of its time. */
function cores(readings: Reading[], step: number): Lines {
  const core = (row: Attributes) => `core ${text(row, 'cpu.logical_number')}`;
  const busy = ratesOf(readings, 'system.cpu.time', (row) => (cpuMode(row) === 'idle' ? undefined : core(row)), step);
  // A core has a second a second; the rounding of the kernel's ticks may say a little more.
  return mapLines(busy, (value) => Math.min(100, 100 * value));
}

const each = (device: string, skipped: RegExp): Label => {
  return (row) => (skipped.test(text(row, device)) ? undefined : text(row, device));
};

/** What the sums of the other charts are made of. */
export const DETAIL_CHARTS: readonly ChartDefinition[] = [
  { id: 'cores', title: 'Processor by core', unit: 'percent', top: 100, metrics: ['system.cpu.time'], draw: cores },
  {
    id: 'disks',
    title: 'Read and written by disk',
    unit: 'bytes/s',
    metrics: ['system.disk.io'],
    draw: (readings, step) => ratesOf(readings, 'system.disk.io', each('system.device', VIRTUAL_DISK), step),
  },
  {
    id: 'disk-busy',
    title: 'Busy time by disk',
    unit: 'percent',
    top: 100,
    metrics: ['system.disk.io_time'],
    draw: (readings, step) =>
      mapLines(ratesOf(readings, 'system.disk.io_time', each('system.device', VIRTUAL_DISK), step), (value) => Math.min(100, 100 * value)),
  },
  {
    id: 'interfaces',
    title: 'Received and sent by interface',
    unit: 'bytes/s',
    metrics: ['system.network.io'],
    draw: (readings, step) => ratesOf(readings, 'system.network.io', each('network.interface.name', VIRTUAL_LINK), step),
  },
];

/** Every metric that some of these charts is made from. */
export const metricsOf = (charts: readonly ChartDefinition[]): ReadonlySet<string> => new Set(charts.flatMap((chart) => chart.metrics));

/** Draws charts from the same readings. `step` in ms. Charts whose metrics the server does not send are left out. */
export function drawCharts(charts: readonly ChartDefinition[], readings: Reading[], step: number): Chart[] {
  return charts.flatMap(({ draw, metrics: _metrics, ...rest }) => {
    const { times, lines } = draw(readings, step);
    const all = [...lines]
      .filter(([, values]) => values.some((value) => value !== null))
      .map(([label, values]) => summarise(label, values));
    if (all.length === 0) return [];
    const moving = rest.stacked ? all.filter((line) => line.most !== 0) : all;
    const shown = moving.length > 0 ? moving : all;
    const kept = new Set(shown.toSorted((a, b) => (b.most ?? 0) - (a.most ?? 0)).slice(0, MOST_LINES));
    const zero = all.filter((line) => !shown.includes(line)).map((line) => line.label);
    return [{ ...rest, times, series: shown.filter((line) => kept.has(line)), zero, left: shown.length - kept.size }];
  });
}

function summarise(label: string, values: (number | null)[]): Chart['series'][number] {
  let [least, most]: (number | null)[] = [null, null];
  for (const value of values) {
    if (value === null) continue;
    least = Math.min(least ?? value, value);
    most = Math.max(most ?? value, value);
  }
  // A line that ended, such as a file system that was unmounted, has no latest value: an old one would pass for it.
  return { label, values, latest: values.at(-1) ?? null, least: least ?? null, most: most ?? null };
}
