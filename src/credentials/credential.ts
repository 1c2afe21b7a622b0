/**
 * What proves who we are, as one immutable object: whoever sends looks it up anew for each request, so a key that is
 * replaced while requests are under way never mixes with the old one.
 */
export interface Credential {
  /** First 12 hex digits of the SHA-256 of the secret. */
  readonly fingerprint: string;
  /** The headers that carry it, for a request that leaves now (`now`: ms since the epoch by the service's clock). */
  headers(now: number): Record<string, string>;
  /** Only where what is carried holds the time: forgets what was made by a clock that proved wrong. */
  renew?(): void;
}
