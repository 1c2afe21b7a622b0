import { lineEnd, numbersBetween } from './scan.ts';

/** The numbers of a file that is one line of them: file-nr, nf_conntrack_count, entropy_avail, tempN_input. */
export function parseNumbers(text: string): number[] {
  return numbersBetween(text, 0, lineEnd(text, 0));
}
