import { html } from 'hono/html';
import type { Person } from '../people/session.ts';
import type { Markup } from './format.ts';

/* Pieces that forms and lists are put together from. */

/** The token that every form carries. */
export const csrf = (person: Person): Markup => html`<input type="hidden" name="csrf" value="${person.csrf}">`;

/** Where a page stands: links to what is above it. */
export function crumbs(above: [path: string, label: string][], here: string): Markup {
  return html`<nav class="crumbs" aria-label="Where this is">${above.map(
    ([path, label]) => html`<a href="${path}">${label}</a> <span aria-hidden="true">›</span> `,
  )}<span aria-current="page">${here}</span></nav>`;
}

/** A column: its heading, and how its cells are set. */
export type Column = string | { head: string; class: 'number' | 'actions' };

/** A table whose rows become cards on a narrow screen. The first cell of a row is its heading. */
export function listTable(columns: Column[], rows: Markup[][], options: { caption?: string; class?: string } = {}): Markup {
  const heads = columns.map((one) => (typeof one === 'string' ? { head: one, class: '' } : one));
  return html`<table role="table" class="stacking ${options.class ?? 'list'}">${
    options.caption && html`<caption class="quiet">${options.caption}</caption>`
  }<thead role="rowgroup"><tr role="row">${heads.map(
    (one) =>
      html`<th scope="col" role="columnheader"${one.class && html` class="${one.class}"`}>${
        one.class === 'actions' ? html`<span class="hidden">${one.head}</span>` : one.head
      }</th>`,
  )}</tr></thead>
<tbody role="rowgroup">${rows.map(
    (cells) =>
      html`<tr role="row">${cells.map((cell, i) => {
        const { head = '', class: kind = '' } = heads[i] ?? {};
        if (i === 0) return html`<th scope="row" role="rowheader">${cell}</th>`;
        return html`<td role="cell"${kind !== 'actions' && html` data-label="${head}"`}${kind && html` class="${kind}"`}>${cell}</td>`;
      })}</tr>\n`,
  )}</tbody></table>`;
}

/** A dash where there is nothing. */
export const none: Markup = html`<span class="quiet">–</span>`;

/** A word that says how a thing stands; `kind` gives its colour. */
export const tag = (text: string, kind: 'good' | 'warn' | 'bad' | 'plain' = 'plain'): Markup =>
  html`<span class="tag ${kind}">${text}</span>`;
