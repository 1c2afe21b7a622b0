// Keeps the part of a page in #live fresh by server-sent events, and follows links marked data-soft without loading the
// page again. Everything works without it; then the browser loads whole pages.
const region = document.getElementById('live');
const status = document.getElementById('live-status');
const toggle = document.getElementById('live-switch');
const refresh = document.getElementById('live-refresh');
const search = document.getElementById('search');

/** How often a page is fetched while no stream can be had, ms. */
const WITHOUT_STREAM = 30_000;
/** And how often while nobody sees it but its title. */
const IN_BACKGROUND = 60_000;

// What was done is said once, and not again when the page is loaded anew or kept as a bookmark.
const here = new URL(location.href);
if (here.searchParams.has('done')) {
  here.searchParams.delete('done');
  history.replaceState(history.state, '', here);
}

// --- the fresh part

let request;

/** Changes the region while the focus, and what a reader had opened, stays. */
function keeping(change) {
  const focused = region.contains(document.activeElement) ? document.activeElement.id : '';
  const opened = [...region.querySelectorAll('details[id][open]')].map((one) => one.id);
  change();
  for (const id of opened) document.getElementById(id)?.setAttribute('open', '');
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
  const { title } = region.querySelector('[data-title]')?.dataset ?? {};
  if (title) document.title = `${title} · Scout`;
  document.dispatchEvent(new CustomEvent('scout:fresh'));
}

function fragmentOf(text) {
  const template = document.createElement('template');
  template.innerHTML = text;
  return template.content;
}

/** Puts new content in place; nodes marked data-keep stay as they are. */
function show(text) {
  const content = fragmentOf(text);
  for (const fresh of content.querySelectorAll('[data-keep]')) {
    const standing = document.getElementById(fresh.id);
    if (standing) fresh.replaceWith(standing);
  }
  keeping(() => region.replaceChildren(content));
}

/** Puts single pieces in place, by the id of their element. */
function patch(pieces) {
  keeping(() => {
    for (const [id, text] of Object.entries(pieces)) document.getElementById(id)?.replaceWith(fragmentOf(text));
  });
}

const say = (text) => {
  status.textContent = text;
};

async function load(address) {
  request?.abort();
  request = new AbortController();
  const { signal } = request;
  try {
    const answer = await fetch(address, { headers: { 'X-Scout-Fragment': '1' }, signal, redirect: 'error' });
    if (answer.status === 401) return ended();
    if (!answer.ok) throw new Error(`answer ${answer.status}`);
    show(await answer.text());
    say('');
  } catch {
    if (!signal.aborted) say('the hub does not answer; trying again');
  }
}

function ended() {
  disconnect();
  const link = document.createElement('a');
  link.href = `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.textContent = 'sign in again';
  status.replaceChildren('Your session has ended: ', link);
  toggle.checked = false;
}

// --- the stream

let source;
let retry;
let background;
/** What came while somebody was marking text, which replacing it would undo. */
let waiting;

const reading = () => {
  const selection = getSelection();
  return selection && !selection.isCollapsed && region.contains(selection.anchorNode);
};

function take(told) {
  if (reading()) {
    waiting = !waiting || told === 'fresh' || waiting === 'fresh' ? told : { ...waiting, ...told };
    return;
  }
  waiting = undefined;
  if (told === 'fresh') load(location.href);
  else patch(told);
}

document.addEventListener('selectionchange', () => {
  if (waiting && !reading()) take(waiting);
});

function disconnect() {
  clearTimeout(retry);
  clearInterval(background);
  source?.close();
  source = undefined;
}

function connect() {
  disconnect();
  if (!toggle.checked || document.hidden) return;
  const wanted = new URLSearchParams(location.search);
  wanted.set('view', region.dataset.events);
  if (region.dataset.name) wanted.set('name', region.dataset.name);
  const mark = document.getElementById('mark');
  if (mark) wanted.set('mark', mark.value);
  let again = false;
  source = new EventSource(`/events?${wanted}`);
  source.addEventListener('open', () => {
    say('');
    // What happened while there was no stream nobody has told.
    if (again) load(location.href);
    again = true;
  });
  source.addEventListener('patch', (event) => take(JSON.parse(event.data)));
  source.addEventListener('fresh', () => take('fresh'));
  source.addEventListener('ended', ended);
  source.addEventListener('error', () => {
    if (source?.readyState !== EventSource.CLOSED) return say('the hub does not answer; trying again');
    // Refused: the session is over, or has as many live pages as it may. Fetching tells which.
    disconnect();
    load(location.href).then(() => {
      if (!toggle.checked) return;
      if (status.textContent === '') say('updated every 30 s');
      retry = setTimeout(connect, WITHOUT_STREAM);
    });
  });
}

function go(address) {
  history.pushState(null, '', address);
  moved();
}

/** The address has changed: so has what the stream must tell of. */
function moved() {
  refresh.href = location.href;
  load(location.href).then(connect);
}

if (region && toggle) {
  toggle.closest('label').hidden = false;
  refresh.hidden = true;
  toggle.addEventListener('change', () => {
    if (toggle.checked) moved();
    else disconnect();
    refresh.hidden = toggle.checked;
  });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      disconnect();
      if (toggle.checked) background = setInterval(() => load(location.href), IN_BACKGROUND);
    } else if (toggle.checked) moved();
  });
  addEventListener('pagehide', disconnect);
  // Back from the browser's store of pages.
  addEventListener('pageshow', (event) => event.persisted && moved());
  addEventListener('popstate', moved);
  region.addEventListener('click', (event) => {
    const link = event.target.closest('a[data-soft]');
    if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(link.href);
  });
  connect();
}

if (region && search) {
  const field = search.elements.namedItem('q');
  let typing;
  const look = () => {
    const address = new URL(location.href);
    address.searchParams.delete('page');
    if (field.value.trim()) address.searchParams.set('q', field.value.trim());
    else address.searchParams.delete('q');
    history.replaceState(null, '', address);
    moved();
  };
  field.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(look, 200);
  });
  search.addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(typing);
    look();
  });
  addEventListener('popstate', () => {
    field.value = new URL(location.href).searchParams.get('q') ?? '';
  });
}
