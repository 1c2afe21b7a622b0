/** One of the hub's figures, without labels. */
export interface Figure {
  name: string;
  type: 'counter' | 'gauge';
  help: string;
  value: number;
}
