import type { AuditLine, Journal, Source } from '../rotation/journal.ts';

/** Name of the keyring in the state folder. */
export const KEYRING = 'keyring.json';

export type KeySlot = 'current' | 'next' | 'previous';

/** A credential that is kept: everything that must change together. */
export interface KeptKey {
  fingerprint: string;
  /** How it came here; `found`: in the configuration, so that it may be used elsewhere too. */
  origin: Source | 'found';
  /**
   * Settings by name, as text: `api.key`; or `api.private_key` with `api.credential_id` and `api.kid` where they are
   * set. Secrets are sealed (`enc:v1:…`) wherever the running agent can open them.
   */
  values: Record<string, string>;
  /** Since when it is here (RFC 3339): made, pasted or found in the configuration. */
  since: string;
  /** Until when the service takes it (RFC 3339); null: not limited, or not known. */
  valid_until: string | null;
}

/** A key that is not used and not erased: nothing has proved it dead. */
export interface QuarantinedKey extends KeptKey {
  reason: string;
  /** The service that it is for, where that is not the keyring's: no other may see it. */
  endpoint?: string;
  /** A person gave it, and nothing has proved whose it is: it is kept, and not sent. */
  unproved?: true;
}

/**
 * `keyring.json`: the keys of this host beside the one in its configuration, and the rotation under way. One file, so
 * that one rename changes all of it.
 */
export interface Keyring {
  v: 1;
  /** The service that the keys are for; ids as its whoami told, null where it told none. Null before the first rotation. */
  service: { endpoint: string; service_id: string | null; server_id: string | null } | null;
  current: KeptKey | null;
  next: KeptKey | null;
  previous: KeptKey | null;
  quarantine: QuarantinedKey[];
  rotation: Journal | null;
  /** The last line of the audit log, written here first: after a crash it is added there. */
  audit: AuditLine | null;
}

/** The address of the service that a key of the keyring is for; undefined before the first rotation. */
export function endpointOf({ service }: Keyring, key: KeptKey | QuarantinedKey): string | undefined {
  return ('endpoint' in key ? key.endpoint : undefined) ?? service?.endpoint;
}

/** Whether two addresses are one, however they are written. */
export function sameAddress(one: string | undefined, other: string): boolean {
  if (one === undefined || !URL.canParse(one) || !URL.canParse(other)) return false;
  return plain(new URL(one)) === plain(new URL(other));
}

const plain = ({ origin, pathname }: URL): string => origin + pathname.replace(/\/$/, '');

export const EMPTY_KEYRING: Keyring = {
  v: 1,
  service: null,
  current: null,
  next: null,
  previous: null,
  quarantine: [],
  rotation: null,
  audit: null,
};
