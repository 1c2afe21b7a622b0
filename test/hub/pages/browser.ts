import { csrfIn, type TestHub } from './setup.ts';

/** A browser without scripts: it opens pages, and sends the forms that stand on them with all their fields. */
export class PlainBrowser {
  readonly #hub: TestHub;
  #cookie: string;

  constructor(hub: TestHub, session: { cookie: string }) {
    this.#hub = hub;
    this.#cookie = session.cookie;
  }

  /** The status and text of a page. */
  async open(path: string): Promise<{ status: number; text: string; headers: Headers }> {
    const answer = await this.#hub.get(path, { cookie: this.#cookie, accept: 'text/html' });
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  }

  /**
   * Opens a page and sends its form for `path` (and `action`, where there are several) with what is filled in; hidden
   * fields are as they stand. Follows a redirect.
   */
  async submit(page: string, fields: Record<string, string> = {}, path = page): Promise<Sent> {
    const { text } = await this.open(page);
    const form = this.formOf(text, path, fields.action);
    const sent = { ...form, ...fields, csrf: csrfIn(text) };
    return { ...(await this.send(path, sent)), sent };
  }

  /** Sends a form as it is: again, or one of another page. */
  async send(path: string, fields: Record<string, string>): Promise<Omit<Sent, 'sent'>> {
    const answer = await this.#hub.post(path, fields, { cookie: this.#cookie, accept: 'text/html' });
    const fresh = /__Host-scout=([^;,]+)/.exec(answer.headers.get('set-cookie') ?? '')?.[0];
    if (fresh) this.#cookie = fresh;
    const to = answer.headers.get('location');
    const text = to === null ? await answer.text() : (await this.open(to)).text;
    return { status: answer.status, to, text, cacheControl: answer.headers.get('cache-control') };
  }

  /** The fields of a form as they stand in the page. */
  formOf(text: string, path: string, action?: string): Record<string, string> {
    const forms = [...text.matchAll(/<form method="post" action="([^"]*)"[^>]*>(.*?)<\/form>/gs)];
    const fits = forms.filter(
      ([, at, inside]) => at === path && (action === undefined || inside?.includes(`name="action" value="${action}"`)),
    );
    const inside = fits[0]?.[2];
    if (inside === undefined) throw new Error(`no form for ${path} ${action ?? ''}`);
    const inputs = [...inside.matchAll(/<input ([^>]*)>/g)].map(([, attributes = '']) => attributes);
    const entries = inputs.flatMap((attributes): [string, string][] => {
      const [name, value = ''] = [/name="([^"]*)"/, /value="([^"]*)"/].map((pattern) => pattern.exec(attributes)?.[1]);
      const off = /type="(radio|checkbox)"/.test(attributes) && !/\schecked/.test(attributes);
      return name === undefined || off ? [] : [[name, value]];
    });
    return Object.fromEntries(entries);
  }
}

interface Sent {
  status: number;
  to: string | null;
  text: string;
  cacheControl: string | null;
  /** What was sent. */
  sent: Record<string, string>;
}

/** What a page shows once, in its text field. */
export const secretIn = (text: string): string => /<textarea id="secret"[^>]*>([^<]*)<\/textarea>/.exec(text)?.[1] ?? '';
