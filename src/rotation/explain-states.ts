import type { KeptKey, Keyring } from '../credentials/keyring.ts';
import type { Journal } from './journal.ts';

/*
 * What `rotate --explain` says of each state. Every sentence must follow from the keyring: what the service or the agent
 * did after the last write is not known here, and is said not to be.
 */

const ROTATE = '`scout-agent rotate`';
const GIVE = '`scout-agent rotate --new-key-stdin`';
const RETIRE = '`scout-agent rotate --retire-now`';
const ROLLBACK = '`scout-agent rotate --rollback`';

/** What must be known beside the keyring: the key in the configuration, and the time in ms since the epoch. */
export interface Known {
  configured: string | null;
  now: number;
}

/** What happened, what is known, and what is not. */
export function whatText(keyring: Keyring, known: Known): string {
  const { rotation, quarantine } = keyring;
  const parts = [rotation ? stateText(keyring, rotation, known) : idleText(keyring), configuredText(keyring, known)];
  if (quarantine.length > 0)
    parts.push(
      `In quarantine: ${quarantine.map(({ fingerprint }) => fingerprint).join(', ')}; not in use, but nothing has proved ${quarantine.length === 1 ? 'it' : 'them'} dead. A key is forgotten once a rotation ends and the service refuses it.`,
    );
  return parts.filter((part) => part !== '').join(' ');
}

/** Which commands are safe, the first choice first. */
export function nextText(keyring: Keyring, known: Known): string {
  const { rotation, previous } = keyring;
  const old = previous ? `; ${RETIRE} ends the old key ${previous.fingerprint}, ${ROLLBACK} brings it back` : '';
  if (isForeign(keyring, known)) {
    if (rotation && rotation.state !== 'RETIRING')
      return `${ROTATE}: it gives this rotation up (ROTATE_OVERTAKEN) and keeps the key that stands in the configuration. To keep on instead, put the key ${expected(keyring, rotation).join(' or ')} back there first.`;
    return `nothing has to be done; the next ${ROTATE} takes the key in the configuration for the current one${previous ? '. Do not use --retire-now before it is clear which key is in use' : ''}.`;
  }
  if (!rotation) return `nothing has to be done; ${ROTATE} replaces the key${old}.`;
  switch (rotation.state) {
    case 'INTENT':
    case 'STAGED':
      return `${ROTATE}: it goes on from here${lostText(rotation)}. ${GIVE} gives this rotation up, keeps its key in quarantine, and begins with another.`;
    case 'PROVEN':
    case 'COMMITTED':
    case 'ADOPTED':
      return `${ROTATE}: it goes on from here. With --retire-now it ends the old key as well.`;
    case 'RETIRING':
      return `nothing has to be done; ${RETIRE} ends the old key${previous ? ` ${previous.fingerprint}` : ''} now, ${ROLLBACK} brings it back, ${ROTATE} begins another rotation.`;
  }
}

function lostText({ state, source, policy }: Journal): string {
  if (state !== 'INTENT' || source !== 'minted' || policy !== 'immediate') return '';
  return `; should it say ROTATE_LOST, make a key at the service and give it with ${GIVE}`;
}

function idleText({ current, previous, audit }: Keyring): string {
  if (!current) return 'No rotation has taken place on this host.';
  const last = audit ? ` The last entry of the audit log is ${audit.event} of ${audit.time}: ${audit.reason}.` : '';
  const old = previous ? ` The key before, ${previous.fingerprint}, is kept; whether the service still takes it is not known here.` : '';
  return `No rotation is under way. The key in use is ${current.fingerprint}.${last}${old}`;
}

function stateText(keyring: Keyring, journal: Journal, known: Known): string {
  const { from, to, source } = journal;
  switch (journal.state) {
    case 'INTENT':
      return intentText(journal);
    case 'STAGED':
      return `${stagedText(journal)} It has not been proved to work, and the configuration still holds ${from}.${holdText(journal)}`;
    case 'PROVEN':
      return known.configured !== null && known.configured === keyring.next?.fingerprint
        ? `The service took the new key ${to} and refused a random one, and the configuration holds it already: only the journal is behind. Whether the running agent sends with it is not known.`
        : `The service took the new key ${to} over a connection of its own, and refused a random one. It is not in the configuration yet.${holdText(journal)}`;
    case 'COMMITTED':
      return `The configuration was given the new key ${to}${source === 'rollback' ? ', which was the previous one' : ''}. Whether the running agent sends with it is not known; it takes it up by itself within seconds. The old key ${from} is kept.`;
    case 'ADOPTED':
      return `The new key ${to} is in use. What becomes of the old key ${from} has not been settled.`;
    case 'RETIRING':
      return `The new key ${to} is in use, and the rotation is done. ${retiringText(keyring, journal, known)}`;
  }
}

function intentText(journal: Journal): string {
  const { source, policy, from, to } = journal;
  if (source === 'pasted')
    return `A key that was given, ${to}, is in the keyring. Nothing has been asked of the service, and ${from} is in use.`;
  if (source === 'rollback') {
    const asked =
      policy === 'grace'
        ? 'Whether the service has made it the current one again is not known; both go on working meanwhile'
        : 'Nothing has been asked of the service';
    return `The previous key ${to} is to come back. ${asked}, and ${from} is in use.`;
  }
  if (source === 'minted') {
    const lost =
      policy === 'immediate'
        ? `If it did, ${from} is dead and the new key, if its answer was lost, cannot be had again.`
        : `If it did, asking again under the same Idempotency-Key brings the same key. ${from} goes on working.`;
    return `The service was to be asked for a key in the place of ${from}. Whether it heard, and made one, is not known. ${lost}${holdText(journal)}`;
  }
  const made = source === 'keypair' ? 'A key pair' : 'A key';
  const old =
    policy === 'immediate'
      ? ` If it has, ${from} is dead: the agent finds the new key in the keyring when it is refused.`
      : ` ${from} goes on working either way.`;
  return `${made} was made here, ${to}, and is in the keyring. Whether the service has heard of it is not known.${old}${holdText(journal)}`;
}

function stagedText({ source, policy, from, to }: Journal): string {
  if (source === 'pasted') return `A key that was given, ${to}, waits to be proved.`;
  if (source === 'rollback') return `The previous key ${to} waits to be proved: whether the service still takes it is not known.`;
  const old = policy === 'immediate' ? `, and has ended ${from}: the agent finds the new key in the keyring when it is refused` : '';
  return `The service has ${source === 'minted' ? 'made' : 'registered'} the new key ${to}${old}. This host has it in the keyring.`;
}

/** A hold that its owner left behind ends without anybody. */
function holdText({ policy, source }: Journal): string {
  if (policy !== 'immediate' || source === 'pasted' || source === 'rollback') return '';
  return ' An agent that was told to hold its heartbeats back goes on by itself after a minute.';
}

function retiringText({ previous }: Keyring, { policy, retire_at: until }: Journal, { now }: Known): string {
  if (!previous) return 'There is no old key.';
  const old = `The old key ${previous.fingerprint}`;
  if (until === null) return `${old} is not known to end by itself: it may be in use elsewhere.`;
  const due = Date.parse(until) <= now;
  if (policy === 'multi')
    return due
      ? `${old} was due to end at ${until}: the timer, or the next rotation, has the service end it.`
      : `${old} goes on working; after ${until} the timer has the service end it.`;
  return due
    ? `${old} was good until ${until}, by the service's word: the timer forgets it once the service refuses it.`
    : `${old} stays good until ${until}, by the service's word.`;
}

/** What the configuration holds, where that is not what the keyring leads one to expect. */
function configuredText(keyring: Keyring, known: Known): string {
  const { configured } = known;
  if (configured === null) return 'Which key the configuration holds cannot be told: it does not pass its check, or may not be read.';
  if (!isForeign(keyring, known)) return '';
  const kept = place(keyring, configured);
  const whose = kept ? `the key ${configured}, which the keyring keeps as ${kept}` : `${configured}, which is none of the keyring's`;
  return `But the configuration holds ${whose}: somebody put it there, and what stands in the configuration wins.`;
}

/** Whether the configuration holds a key that this state does not account for. */
function isForeign(keyring: Keyring, { configured }: Known): boolean {
  if (configured === null || !keyring.current) return false;
  return !expected(keyring, keyring.rotation).includes(configured);
}

/** What the configuration may hold while nobody but the rotation touches it. */
function expected({ current, next }: Keyring, rotation: Journal | null): string[] {
  // Between the two writes of a commit the configuration is ahead.
  const keys = [current, rotation?.state === 'PROVEN' ? next : null];
  return keys.filter((key) => key !== null).map(({ fingerprint }) => fingerprint);
}

function place(keyring: Keyring, fingerprint: string): string | undefined {
  const has = (key: KeptKey | null): boolean => key?.fingerprint === fingerprint;
  if (has(keyring.next)) return 'next';
  if (has(keyring.previous)) return 'previous';
  return keyring.quarantine.some(has) ? 'quarantined' : undefined;
}
