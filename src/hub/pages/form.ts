import { html } from 'hono/html';
import { ScoutError } from '../../support/errors.ts';
import type { Person } from '../people/session.ts';
import { isKeyLike } from '../servers.ts';
import type { Markup } from './format.ts';
import { csrf } from './parts.ts';

/** A form that was sent and could not be done. */
export interface Sent {
  values: Record<string, string>;
  /** What was wrong, as a sentence, and with which field; undefined where it is none of them. */
  text: string;
  field: string | undefined;
}

/** What somebody filled in wrong, in one field or in none in particular. */
export class FormError extends ScoutError {
  readonly field: string | undefined;
  readonly detail: string;

  constructor(field: string | undefined, detail: string) {
    super('HUB_FORM', { detail });
    this.field = field;
    this.detail = detail;
  }
}

/** What is told of an error by the form that it came of. */
export function sentWith(values: Record<string, string>, error: ScoutError): Sent {
  const { code, problem } = error;
  const own = error instanceof FormError;
  // The other remedies are commands, which stand on the page as buttons.
  const remedy = /_(NAME|WEAK|NAMED|MOVED)$|_PUBLIC_KEY$/.test(code) ? ` ${problem.remedy}` : '';
  const text = `${sentence(own ? error.detail : problem.message)}${remedy}`;
  return { values, text, field: own ? error.field : FIELDS.find(([pattern, name]) => pattern.test(code) && name in values)?.[1] };
}

const FIELDS: [pattern: RegExp, field: string][] = [
  [/_WEAK$/, 'password'],
  [/_PUBLIC_KEY$/, 'public_key'],
  [/^HUB_SERVER_(NAME|EXISTS)$/, 'server'],
  [/^HUB_(KEY|CREDENTIAL)_(NAME|NAMED)$/, 'to'],
  [/_NAME$|_NAMED$|^HUB_(SERVER|USER)_EXISTS$/, 'name'],
];

/** With a capital at its beginning, and a full stop. */
export const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

type Attributes = Record<string, string | number | true>;

interface FieldOptions {
  value?: string;
  hint?: Markup | string;
  /** Further attributes of the control. */
  with?: Attributes;
  /** What belongs to the control: its list of proposals. */
  beside?: Markup;
}

const TYPED: Attributes = { autocomplete: 'off', spellcheck: 'false', autocapitalize: 'none' };

/**
 * A form of a page. One that was sent and could not be done stands there as it was filled in, but for passwords, with
 * what was wrong beside its field, and the cursor in it.
 */
export class Form {
  readonly #person: Person;
  readonly #path: string;
  readonly #action: string | undefined;
  readonly #sent: Sent | undefined;

  /** `action`: the word by which a path tells several forms apart. `sent`: what was sent to the path, by this form or another. */
  constructor(person: Person, path: string, sent?: Sent, action?: string) {
    this.#person = person;
    this.#path = path;
    this.#action = action;
    this.#sent = sent && sent.values.action === action ? sent : undefined;
  }

  /** The whole form. */
  markup(...content: (Markup | '' | false)[]): Markup {
    const sent = this.#sent;
    return html`<form method="post" action="${this.#path}" class="form">${csrf(this.#person)}${
      this.#action && html`<input type="hidden" name="action" value="${this.#action}">`
    }${sent && sent.field === undefined && html`<p class="problem" role="alert"><b>Not done:</b> ${sent.text}</p>`}${content}</form>`;
  }

  /** A line of text. */
  text(name: string, label: string, options: FieldOptions = {}): Markup {
    const value = this.#kept(name) ?? options.value ?? '';
    return this.#field(name, label, options, (more) => html`<input id="${name}" name="${name}" value="${value}"${more}>`);
  }

  /** Several lines of text. */
  area(name: string, label: string, options: FieldOptions = {}): Markup {
    const value = this.#kept(name) ?? '';
    return this.#field(name, label, options, (more) => html`<textarea id="${name}" name="${name}"${more}>${value}</textarea>`);
  }

  /** A password, which is never filled in again. */
  password(name: string, label: string, options: FieldOptions = {}): Markup {
    return this.#field(name, label, options, (more) => html`<input id="${name}" name="${name}" type="password"${more}>`);
  }

  /** Radio buttons, one of which is chosen. */
  choices(name: string, legend: string, all: [value: string, label: Markup | string, hint?: string][], usual: string): Markup {
    const chosen = this.#sent?.values[name] ?? usual;
    return html`<fieldset><legend>${legend}</legend>${all.map(([value, label, hint]) => choice('radio', name, value, value === chosen, label, hint))}</fieldset>`;
  }

  /** A box to tick; its value is `yes`. */
  check(name: string, label: string, hint: string, usual: boolean): Markup {
    return choice('checkbox', name, 'yes', this.#sent ? this.#sent.values[name] === 'yes' : usual, label, hint);
  }

  /** What was typed, but for what looks like a secret that was pasted by mistake. */
  #kept(name: string): string | undefined {
    const value = this.#sent?.values[name];
    return value !== undefined && (isKeyLike(value.trim()) || /PRIVATE KEY|^\s*enroll1_/.test(value)) ? '' : value;
  }

  #field(name: string, label: string, options: FieldOptions, control: (attributes: Markup[]) => Markup): Markup {
    const { hint, beside } = options;
    const wrong = this.#sent?.field === name ? this.#sent.text : undefined;
    const described = [wrong !== undefined && `${name}-problem`, hint !== undefined && `${name}-hint`].filter(Boolean).join(' ');
    const { autofocus = false, ...own } = options.with ?? {};
    const attributes: Attributes = {
      ...TYPED,
      ...own,
      ...(described && { 'aria-describedby': described }),
      ...(wrong !== undefined && { 'aria-invalid': 'true' }),
      ...((wrong !== undefined || (autofocus && !this.#sent)) && { autofocus: true }),
    };
    const written = Object.entries(attributes).map(([key, value]) => (value === true ? html` ${key}` : html` ${key}="${value}"`));
    return html`<div class="field"><label for="${name}">${label}</label>${control(written)}${beside}${
      wrong !== undefined && html`<p class="wrong" id="${name}-problem" role="alert">${wrong}</p>`
    }${hint !== undefined && html`<p class="hint" id="${name}-hint">${hint}</p>`}</div>`;
  }
}

function choice(type: string, name: string, value: string, chosen: boolean, label: Markup | string, hint?: string): Markup {
  return html`<label class="choice"><input type="${type}" name="${name}" value="${value}"${chosen && ' checked'}> <span>${label}${
    hint && html` <small class="quiet">${hint}</small>`
  }</span></label>`;
}

/** The button that sends a form, and a link away from it. */
export const submit = (label: Markup | string, kind: 'primary' | 'danger' | '' = 'primary', cancel?: string): Markup =>
  html`<p class="actions"><button class="${kind}">${label}</button>${cancel !== undefined && html`<a class="button" href="${cancel}">Cancel</a>`}</p>`;
