import type { Job } from './layout.ts';

/** Not yet. */
export async function buildSea(_job: Job): Promise<string[]> {
  return [];
}
