// Draws the charts of a server page with uPlot, from the numbers in the block #chart-data.
const plots = new Map();
/** Shortest stretch of time that a chart shows. */
const LEAST_SECONDS = 600;

/** A colour of the style sheet, as it is for the scheme of the moment. */
function colour(name) {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const [r, g, b] = getComputedStyle(probe).color.match(/[\d.]+/g);
  probe.remove();
  return `#${[r, g, b].map((part) => Math.round(Number(part)).toString(16).padStart(2, '0')).join('')}`;
}

const bytes = (value) => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let index = 0;
  for (; Math.abs(value) >= 1024 && index < units.length - 1; index++) value /= 1024;
  return `${Number(value.toPrecision(3))} ${units[index]}`;
};
const FORMATS = {
  percent: (value) => `${Number(value.toPrecision(3))} %`,
  bytes,
  'bytes/s': (value) => `${bytes(value)}/s`,
  number: (value) => String(Number(value.toPrecision(3))),
};

/** Round steps for a scale of bytes: powers of two, so that ticks read 256 MiB and not 238.4 MiB. */
const BINARY = Array.from({ length: 50 }, (_, exponent) => 2 ** exponent);

const pad = (number) => String(number).padStart(2, '0');
/** Whether the range is of days. */
let days = false;
const dayOf = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const clock = (date) => `${pad(date.getHours())}:${pad(date.getMinutes())}`;
/** A tick in the reader's zone: the time of day, and at midnight the day that begins. */
const tickText = (seconds) => {
  const date = new Date(seconds * 1000);
  const midnight = date.getHours() === 0 && date.getMinutes() === 0;
  return midnight ? dayOf.format(date) : clock(date);
};
const moment = (seconds) => {
  const date = new Date(seconds * 1000);
  return days ? `${dayOf.format(date)}, ${clock(date)}` : clock(date);
};

/** Rows for uPlot: times, then each line; lines of a whole are laid upon each other. */
function rows({ times, series, stacked }) {
  if (!stacked) return [times, ...series.map((line) => line.values)];
  const sums = times.map(() => 0);
  const piled = series.map((line) =>
    line.values.map((value, i) => {
      if (value === null) return null;
      sums[i] += value;
      return sums[i];
    }),
  );
  return [times, ...piled];
}

/** Readings with none beside them: a line does not show those, and all the charts of a server that is new are made of one. */
function alone(plot, index) {
  const values = plot.data[index];
  return values.flatMap((value, i) => (value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null ? i : []));
}

function limits(chart) {
  return (_plot, _least, most) => {
    if (chart.top !== undefined && (chart.stacked || most > chart.top / 2)) return [0, chart.top];
    const floor = chart.unit === 'percent' ? 1 : chart.unit === 'number' ? 0.5 : 1024;
    return [0, Math.max(floor, (most ?? 0) * 1.08)];
  };
}

function options(chart, holder) {
  const axis = {
    stroke: colour('--quiet'),
    font: '12px system-ui, sans-serif',
    grid: { stroke: colour('--grid'), width: 1 },
    ticks: { stroke: colour('--grid'), width: 1, size: 4 },
  };
  return {
    width: holder.clientWidth,
    height: holder.clientHeight,
    legend: { show: false },
    cursor: { sync: { key: 'scout' }, drag: { x: false, y: false }, points: { size: 6 }, y: false },
    hooks: { setCursor: [(plot) => readOut(plot, plots.get(chart.id)?.chart ?? chart)] },
    scales: { x: { time: true, range: () => plots.get(chart.id)?.bounds ?? chart.bounds }, y: { range: limits(chart) } },
    axes: [
      { ...axis, values: (_plot, ticks) => ticks.map(tickText), space: 70, size: 26 },
      {
        ...axis,
        size: 78,
        space: 34,
        ...(chart.unit.startsWith('bytes') && { incrs: BINARY }),
        values: (_plot, ticks) => ticks.map(FORMATS[chart.unit]),
      },
    ],
    series: [
      {},
      ...chart.series.map((line, i) => ({
        label: line.label,
        stroke: colour(`--c${i}`),
        width: chart.stacked ? 1 : 1.5,
        dash: line.dash,
        points: { show: true, size: 4, filter: alone },
        fill: chart.stacked && i === 0 ? `${colour('--c0')}66` : undefined,
      })),
    ],
    bands: chart.stacked ? chart.series.slice(1).map((_line, i) => ({ series: [i + 2, i + 1], fill: `${colour(`--c${i + 1}`)}66` })) : [],
  };
}

/** Shows in the table what stands under the cursor, and the latest figures again when it leaves. */
function readOut(plot, chart) {
  const table = plot.root.closest('figure')?.querySelector('table');
  if (!table) return;
  const index = plot.cursor.idx;
  const inside = index !== null && index !== undefined && plot.cursor.left >= 0;
  const head = table.querySelector('[data-cursor]');
  head.textContent = inside ? `at ${moment(chart.times[index])}` : 'Latest';
  table.querySelectorAll('tbody tr').forEach((row, i) => {
    const cell = row.cells[1];
    if (cell.dataset.latest === undefined) cell.dataset.latest = cell.textContent;
    const value = chart.series[i]?.values[index];
    cell.textContent = !inside ? cell.dataset.latest : value === null || value === undefined ? '–' : FORMATS[chart.unit](value);
  });
}

const shape = (chart) => JSON.stringify([days, chart.unit, chart.stacked, chart.series.map((line) => line.label)]);

function draw() {
  const block = document.getElementById('chart-data');
  if (!block) return;
  const { from, to, charts, days: long } = JSON.parse(block.textContent);
  days = long;
  // A server that is new shows what there is, not an hour of nothing with a sliver at its end.
  const first = Math.min(...charts.map((chart) => chart.times[0] ?? to));
  const start = Math.max(from, Math.min(first, to - LEAST_SECONDS));
  for (const chart of charts) {
    const holder = document.getElementById(`plot-${chart.id}`);
    if (!holder) continue;
    chart.bounds = [start, to];
    const standing = plots.get(chart.id);
    if (standing && standing.holder === holder && standing.shape === shape(chart)) {
      Object.assign(standing, { chart, bounds: [start, to] });
      standing.plot.setData(rows(chart));
      readOut(standing.plot, chart);
      continue;
    }
    standing?.plot.destroy();
    // An empty holder takes no room; it needs its size before the chart can be made.
    holder.style.display = 'block';
    const plot = new uPlot(options(chart, holder), rows(chart), holder);
    plots.set(chart.id, { plot, chart, holder, bounds: chart.bounds, shape: shape(chart) });
    watch.observe(holder);
  }
}

const watch = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const found = [...plots.values()].find((one) => one.holder === target);
    if (found && contentRect.width > 0 && Math.round(contentRect.width) !== found.plot.width) {
      found.plot.setSize({ width: Math.round(contentRect.width), height: found.plot.height });
    }
  }
});

function redraw() {
  for (const { plot } of plots.values()) plot.destroy();
  plots.clear();
  draw();
}

// On paper colours are those of the light scheme.
for (const query of ['(prefers-color-scheme: dark)', 'print']) matchMedia(query).addEventListener('change', redraw);
document.addEventListener('scout:fresh', draw);
draw();
