import { html } from 'hono/html';
import type { Person } from '../people/session.ts';
import type { Assets } from './assets.ts';
import type { Markup } from './format.ts';
import { csrf } from './parts.ts';
import type { Theme } from './theme.ts';

/** The parts of the site that the banner leads to; members do not see what is for admins. */
const SECTIONS = [
  { id: 'fleet', path: '/', label: 'Fleet' },
  { id: 'keys', path: '/keys', label: 'Keys' },
  { id: 'credentials', path: '/credentials', label: 'Credentials' },
  { id: 'tokens', path: '/tokens', label: 'Enrolment', admins: true },
  { id: 'audit', path: '/audit', label: 'Audit', admins: true },
  { id: 'users', path: '/users', label: 'People', admins: true },
] as const;
type Section = (typeof SECTIONS)[number]['id'] | 'account';

export interface PageOptions {
  title: string;
  assets: Assets;
  /** Who is signed in; nobody on the sign-in page. */
  person?: Person;
  /** The part of the site that it belongs to. */
  section?: Section;
  theme?: Theme;
  /** Charts need their library and style. */
  charts?: boolean;
  /** What was done, said above everything else. */
  note?: string;
  /** The hub's clock, ms, by which a page counts on. */
  now?: number;
  body: Markup;
}

/** The frame around every page. */
export function page({ title, assets, person, section, theme, charts = false, note, now, body }: PageOptions): Markup {
  const script = (name: string) => html`<script type="module" src="${assets.url(name)}"></script>`;
  return html`<!doctype html>
<html lang="en"${theme && html` data-theme="${theme}"`}${now !== undefined && html` data-now="${now}"`}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="${theme ?? 'light dark'}">
<title>${title} · Scout</title>
<link rel="icon" href="${assets.url('scout.svg')}" type="image/svg+xml">
${charts && html`<link rel="stylesheet" href="${assets.url('uplot.css')}">`}
<link rel="stylesheet" href="${assets.url('scout.css')}">
${charts && [html`<script src="${assets.url('uplot.js')}" defer></script>`, script('charts.js')]}
${person && [script('times.js'), script('live.js')]}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
${person && banner(person, section)}
<main id="main" tabindex="-1">
${note && html`<p class="note" role="status">${note}</p>`}
${body}
</main>
</body>
</html>`;
}

function banner(person: Person, section: Section | undefined): Markup {
  const shown = SECTIONS.filter((one) => !('admins' in one) || person.role === 'admin');
  const current = (id: Section) => id === section && html` aria-current="true"`;
  return html`<header class="banner">
<a class="brand" href="/"><span class="mark" aria-hidden="true"></span>Scout</a>
<nav aria-label="Main">${shown.map(({ id, path, label }) => html`<a class="place" href="${path}"${current(id)}>${label}</a>`)}</nav>
<form class="who" method="post" action="/sign-out">
${csrf(person)}
<a class="place" href="/account"${current('account')}><span class="hidden">Your account: </span>${person.name}</a>
<button type="submit">Sign out</button>
</form>
</header>`;
}

/** The word about live updates; a script fills it in. Without one, a link fetches the page anew. */
export const liveControls = (path: string): Markup => html`<p class="live" id="live-controls">
<a href="${path}" id="live-refresh">Refresh</a> <label hidden><input type="checkbox" id="live-switch" checked> Live</label> <span id="live-status" class="quiet"></span></p>`;

/** A page that says one thing: not found, refused, failed. */
export function messagePage(options: Omit<PageOptions, 'body'> & { text: string }): Markup {
  const body = html`<div class="message"><h1>${options.title}</h1><p>${options.text}</p><p><a href="/">To the fleet</a></p></div>`;
  return page({ ...options, body });
}

/** The page to sign in on. `next` is where to go afterwards. */
export function signInPage(assets: Assets, options: { next: string; name?: string; problem?: string; theme?: Theme }): Markup {
  const { next, name = '', problem, theme } = options;
  const body = html`<div class="sign-in">
<h1><span class="mark" aria-hidden="true"></span>Scout</h1>
<p class="quiet">Sign in to see the fleet.</p>
${problem && html`<p class="problem" role="alert" id="problem">${problem}</p>`}
<form method="post" action="/sign-in">
<input type="hidden" name="next" value="${next}">
<label for="name">Name</label>
<input id="name" name="name" value="${name}" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="128"${name === '' && ' autofocus'}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="1024"${problem && html` aria-describedby="problem"`}${name !== '' && ' autofocus'}>
<button type="submit" class="primary">Sign in</button>
</form>
<p class="hint">No account yet? Whoever runs this hub makes one:<br><code>scout-hub user add NAME --role member</code></p>
</div>`;
  return page({ title: 'Sign in', assets, theme, body });
}
