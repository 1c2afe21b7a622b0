import { html } from 'hono/html';
import { refusedOf } from './fleet.ts';
import { ago, at, forLong, type Markup } from './format.ts';
import type { ServerView } from './server-page.ts';

/**
 * What somebody who is called out wants to know first: since when nothing comes in, whether the agent is there and is
 * refused, and what to look at. Nothing for a server that is well, or merely late.
 */
export function troubleBanner({ details, refusedAt, admin }: ServerView, now: number): Markup | '' {
  const { state, last_received: last } = details;
  const refused = refusedOf({ refusedAt }, now);
  if (state === 'alive' && refused !== null)
    return html`<div class="trouble"><p><b>Refused ${ago(refused, now)}:</b> something else asks with a key of this server that has ended or lacks the right, such as a copy of the host, or an agent that was not given the new key.</p></div>`;
  const silent =
    state === 'silent' &&
    last !== null &&
    html`<b>Nothing has come in for ${forLong(Date.parse(last), now)}</b>, since ${at(Date.parse(last))}. `;
  if (refused !== null)
    return html`<div class="trouble"><p>${silent}<b>Refused ${ago(refused, now)}:</b> its agent runs and reaches this hub, but the key that it holds is not let in. ${admin ? 'Make a new one below' : 'Let an admin make a new one'}, and give it to the agent on the host:</p>
<pre><code>scout-agent rotate --new-key-stdin</code></pre></div>`;
  if (!silent) return '';
  return html`<div class="trouble"><p>${silent}None of its requests was refused of late: the host is down, cannot reach this hub, or its agent does not run. On the host:</p>
<pre><code>systemctl status scout-agent
scout-agent doctor</code></pre></div>`;
}
