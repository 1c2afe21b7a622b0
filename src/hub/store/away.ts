import { ScoutError } from '../../support/errors.ts';

/** Whether the database is away. Its store tells the log of that by itself, once for however long it lasts. */
export const isAway = (error: unknown): boolean => error instanceof ScoutError && error.code === 'HUB_DATABASE';
