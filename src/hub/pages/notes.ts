/** What a page says after a form has done its work, by the word in the address: nothing of the address itself is shown. */
const NOTES: Record<string, string> = {
  retired: 'The previous keys are refused from now on.',
  'key-enabled': 'The key is let in again.',
  'key-disabled': 'The key is refused until it is enabled again.',
  'key-deleted': 'The key is deleted, and refused from now on.',
  'key-renamed': 'The key has its new name.',
  'server-changed': 'The policy holds from the next rotation on.',
  'server-removed': 'The server is removed, with its keys and its heartbeats.',
  'credential-added': 'The credential is let in from now on.',
  'credential-enabled': 'The credential is let in again.',
  'credential-disabled': 'The credential is refused until it is enabled again.',
  'credential-deleted': 'The credential is deleted, and refused from now on.',
  'credential-renamed': 'The credential has its new name.',
  'token-revoked': 'The token is refused from now on.',
  'user-added': 'The account is made; its owner can sign in.',
  'user-role': 'The role is changed.',
  'user-password': 'The password is changed, and every session of that account has ended.',
  'user-signed-out': 'Every session of that account has ended.',
  'user-removed': 'The account is removed, and its sessions have ended.',
  password: 'Your password is changed. Your other sessions have ended.',
  theme: 'The appearance is kept in this browser.',
};

/** The note of a word, where it is one. */
export const noteOf = (word: string | undefined): string | undefined =>
  word !== undefined && Object.hasOwn(NOTES, word) ? NOTES[word] : undefined;
