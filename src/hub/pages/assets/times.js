// Counts times on, tells exact ones in the zone of whoever reads, and hands out what is there to be copied.

// --- times, by the hub's clock

const offset = Number(document.documentElement.dataset.now ?? Date.now()) - Date.now();
const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
];

/** `1h 5m`, `12s`: the one or two largest units, as the hub writes them. */
function duration(ms) {
  let rest = Math.max(0, Math.round(ms / 1000));
  const parts = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
  }
  return parts.slice(0, 2).join(' ') || '0s';
}

const WORDS = {
  ago: (age) => (Math.abs(age) < 1000 ? 'just now' : age < 0 ? `in ${duration(-age)}` : `${duration(age)} ago`),
  for: (age) => duration(age),
  left: (age) => (age < 0 ? duration(-age) : 'over'),
};

function tick() {
  if (document.hidden) return;
  const now = Date.now() + offset;
  for (const time of document.querySelectorAll('time[data-tick]')) {
    const words = WORDS[time.dataset.tick](now - Date.parse(time.dateTime));
    if (time.firstChild && time.firstChild.data !== words) time.firstChild.data = words;
  }
}
setInterval(tick, 1000);

// --- exact times, in the reader's zone

const zoneOf = new Intl.DateTimeFormat(undefined, { timeZoneName: 'short' });
const two = (number) => String(number).padStart(2, '0');

/** `2026-11-21 19:35:41 CET`. */
function localText(date) {
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const zone = zoneOf.formatToParts(date).find((part) => part.type === 'timeZoneName')?.value ?? '';
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${zone}`;
}

/** The hub writes UTC; whoever reads has a clock of their own. UTC stays beneath the pointer. */
function localise(root) {
  for (const time of root.querySelectorAll('time[datetime]:not([data-local])')) {
    const date = new Date(time.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    time.dataset.local = '';
    const utc = time.title || time.textContent;
    const local = localText(date);
    if (time.dataset.tick) time.title = utc.replace(/\d{4}-.*/, `${local}\n$&`);
    else {
      time.title = utc;
      time.textContent = local;
    }
  }
}

// --- commands to copy

function copied(button, text) {
  navigator.clipboard.writeText(text).then(() => {
    button.textContent = 'Copied';
  });
}

function offerCopies(root) {
  if (!navigator.clipboard) return;
  for (const code of root.querySelectorAll('pre > code')) {
    if (code.nextElementSibling) continue;
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'small copy';
    button.textContent = 'Copy';
    button.addEventListener('click', () => copied(button, code.textContent));
    code.after(button);
  }
}

// --- what is shown once

for (const button of document.querySelectorAll('[data-copy]')) {
  const field = document.getElementById(button.dataset.copy);
  button.hidden = !navigator.clipboard;
  button.addEventListener('click', () => copied(button, field.value));
}
for (const field of document.querySelectorAll('[data-select]')) field.addEventListener('focus', () => field.select());

function dress() {
  tick();
  localise(document);
  offerCopies(document);
}
document.addEventListener('scout:fresh', dress);
dress();
