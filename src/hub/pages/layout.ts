import { html } from 'hono/html';
import type { Person } from '../session.ts';
import type { Assets } from './assets.ts';
import type { Markup } from './format.ts';

export interface PageOptions {
  title: string;
  assets: Assets;
  /** Who is signed in; nobody on the sign-in page. */
  person?: Person;
  /** Charts need their library and style. */
  charts?: boolean;
  body: Markup;
}

/** The frame around every page. */
export function page({ title, assets, person, charts = false, body }: PageOptions): Markup {
  const script = (name: string) => html`<script type="module" src="${assets.url(name)}"></script>`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Scout</title>
<link rel="icon" href="${assets.url('scout.svg')}" type="image/svg+xml">
${charts && html`<link rel="stylesheet" href="${assets.url('uplot.css')}">`}
<link rel="stylesheet" href="${assets.url('scout.css')}">
${charts && [html`<script src="${assets.url('uplot.js')}" defer></script>`, script('charts.js')]}
${person && script('live.js')}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
${person && banner(person)}
<main id="main" tabindex="-1">
${body}
</main>
</body>
</html>`;
}

function banner(person: Person): Markup {
  return html`<header class="banner">
<a class="brand" href="/"><span class="mark" aria-hidden="true"></span>Scout</a>
<nav aria-label="Main"><a href="/">Fleet</a></nav>
<form class="who" method="post" action="/sign-out">
<input type="hidden" name="csrf" value="${person.csrf}">
<span><span class="quiet">Signed in as</span> ${person.name}</span>
<button type="submit">Sign out</button>
</form>
</header>`;
}

/** The switch and the word about refreshing; shown by the script, since without it a page does not refresh. */
export const liveControls: Markup = html`<p class="live" id="live-controls" hidden>
<label><input type="checkbox" id="live-switch" checked> Live</label> <span id="live-status" class="quiet"></span></p>`;

/** A page that says one thing: not found, refused, failed. */
export function messagePage(options: Omit<PageOptions, 'body'> & { text: string }): Markup {
  const body = html`<div class="message"><h1>${options.title}</h1><p>${options.text}</p><p><a href="/">To the fleet</a></p></div>`;
  return page({ ...options, body });
}

/** The page to sign in on. `next` is where to go afterwards. */
export function signInPage(assets: Assets, options: { next: string; name?: string; problem?: string }): Markup {
  const { next, name = '', problem } = options;
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
  return page({ title: 'Sign in', assets, body });
}
