// Keeps the part of a page in #live fresh, and follows links marked data-soft without loading the page again.
// Everything works without it; then the browser loads whole pages.
const region = document.getElementById('live');
const controls = document.getElementById('live-controls');
const toggle = document.getElementById('live-switch');
const status = document.getElementById('live-status');
const search = document.getElementById('search');

let timer;
let request;

/** Puts new content in place; keeps the nodes marked data-keep, the focus and with it the reader's place. */
function show(text) {
  const content = document.createElement('template');
  content.innerHTML = text;
  for (const fresh of content.content.querySelectorAll('[data-keep]')) {
    const standing = document.getElementById(fresh.id);
    if (standing) fresh.replaceWith(standing);
  }
  const focused = region.contains(document.activeElement) ? document.activeElement.id : '';
  region.replaceChildren(content.content);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  document.dispatchEvent(new CustomEvent('scout:fresh'));
}

const reading = () => {
  const selection = getSelection();
  return selection && !selection.isCollapsed && region.contains(selection.anchorNode);
};

async function load(address) {
  clearTimeout(timer);
  request?.abort();
  request = new AbortController();
  const { signal } = request;
  try {
    const answer = await fetch(address, { headers: { 'X-Scout-Fragment': '1' }, signal, redirect: 'error' });
    if (answer.status === 401) return ended();
    if (!answer.ok) throw new Error(`answer ${answer.status}`);
    show(await answer.text());
    status.textContent = `updated ${new Date().toLocaleTimeString()}`;
  } catch {
    if (signal.aborted) return;
    status.textContent = 'the hub does not answer; trying again';
  }
  later();
}

function ended() {
  const link = document.createElement('a');
  link.href = `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.textContent = 'sign in again';
  status.replaceChildren('Your session has ended: ', link);
  toggle.checked = false;
}

function later() {
  clearTimeout(timer);
  if (toggle.checked && !document.hidden) timer = setTimeout(tick, Number(region.dataset.every));
}

function tick() {
  if (reading()) later();
  else load(location.href);
}

function go(address) {
  history.pushState(null, '', address);
  load(address);
}

if (region && controls) {
  controls.hidden = false;
  toggle.addEventListener('change', () => (toggle.checked ? tick() : clearTimeout(timer)));
  document.addEventListener('visibilitychange', () => (document.hidden || !toggle.checked ? clearTimeout(timer) : tick()));
  addEventListener('popstate', () => load(location.href));
  region.addEventListener('click', (event) => {
    const link = event.target.closest('a[data-soft]');
    if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(link.href);
  });
  if (search) {
    const field = search.elements.namedItem('q');
    let typing;
    const look = () => {
      const address = new URL(location.href);
      address.searchParams.delete('page');
      if (field.value.trim()) address.searchParams.set('q', field.value.trim());
      else address.searchParams.delete('q');
      history.replaceState(null, '', address);
      load(address.href);
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
  later();
}
