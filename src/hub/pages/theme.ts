/** Light or dark whatever the system says; undefined: as the system says. */
export type Theme = 'light' | 'dark' | undefined;

/** The cookie that keeps the choice in a browser. */
export const THEME_COOKIE = '__Host-scout-theme';

/** The choice that a cookie or a form holds; undefined for anything else. */
export const themeOf = (text: string | undefined): Theme => (text === 'light' || text === 'dark' ? text : undefined);
