import { html } from 'hono/html';
import type { Markup } from './format.ts';

/** What is shown once: the secret itself, what it is, and what to do with it. */
export interface ShownOnce {
  heading: string;
  /** What it is called where it stands: `The new key`. */
  label: string;
  secret: string;
  /** How it is recognised afterwards. */
  fingerprint?: string;
  /** What it means for what was there before. */
  facts: (Markup | string)[];
  /** What to do with it on the host. */
  steps: Markup;
  /** Where to go on. */
  next: [path: string, label: string];
}

/** The page that shows a secret, in answer to the form that made it: never cached, and asked for again it is refused. */
export function shownOnce({ heading, label, secret, fingerprint, facts, steps, next }: ShownOnce): Markup {
  return html`<div class="once"><h1>${heading}</h1>
<p class="warning" role="alert"><b>Shown this once.</b> The hub keeps no copy. Store it before you leave this page.</p>
<div class="secret"><label for="secret">${label}</label>
<textarea id="secret" readonly rows="${secret.length > 100 ? 8 : 2}" spellcheck="false" autocomplete="off" data-select>${secret}</textarea>
<p class="actions"><button type="button" data-copy="secret" hidden>Copy</button>${fingerprint && html` <span class="quiet">Fingerprint <code>${fingerprint}</code></span>`}</p></div>
${facts.length > 0 && html`<ul class="facts-list">${facts.map((fact) => html`<li>${fact}</li>`)}</ul>`}
<h2>What to do now</h2>
${steps}
<p class="actions"><a class="button primary" href="${next[0]}">${next[1]}</a></p></div>`;
}
