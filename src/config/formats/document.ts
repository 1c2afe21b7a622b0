import type { Problem } from '../../support/errors.ts';
import type { MapNode } from '../tree.ts';

/** A file once read: its values with their places, and what was wrong with it. */
export interface Document {
  root: MapNode;
  problems: Problem[];
  /** Set where nothing could be read: what is missing from it was perhaps there. */
  unreadable?: true;
}

/** Line and column, from 1, of an offset into a text; columns count characters as editors do (UTF-16 units). */
export class Lines {
  private readonly starts: number[];
  private readonly file: string;

  constructor(file: string, text: string) {
    this.file = file;
    this.starts = [0];
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.starts.push(at + 1);
  }

  /** The place of an offset. */
  at(offset: number): { file: string; line: number; column: number } {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return { file: this.file, line: low + 1, column: offset - (this.starts[low] as number) + 1 };
  }
}
