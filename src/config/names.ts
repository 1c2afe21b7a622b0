import type { Shape } from './shape.ts';

/** Names from the services' own documents, beside the canonical SCOUT_ + path in capitals. */
const VARIABLE_ALIASES: Record<string, string> = {
  SCOUTAPIKEY: 'api.key',
  SERVERSCOUT_API_KEY: 'api.key',
  AGENT_KEY: 'api.key',
  SCOUT_PRIVATE_KEY: 'api.private_key',
  SCOUT_PRIVATE_KEY_FILE: 'api.private_key_file',
  SCOUT_CREDENTIAL_ID: 'api.credential_id',
  SCOUT_KID: 'api.kid',
  SCOUT_ENDPOINT: 'api.endpoint',
  SCOUT_URL: 'api.endpoint',
  SCOUT_API_URL: 'api.endpoint',
  SCOUT_API_BASE_URL: 'api.endpoint',
};

/** Variables that begin with SCOUT and are no settings: where the configuration is, and what the program uses itself. */
const NO_SETTINGS = new Set(['SCOUT_CONFIG', 'SCOUT_HOST_KEY_FILE', 'SCOUT_READY_FD', 'SCOUT_HOLD_MS']);

/** Paths in TOML and YAML that stand for another setting. */
export const PATH_ALIASES: Record<string, string> = {
  'agent.api_key': 'api.key',
  'agent.api_base_url': 'api.endpoint',
  'api.base_url': 'api.endpoint',
  'api.url': 'api.endpoint',
};

/** Names under which a service hands out opaque keys (Observer, Logstag). */
export const OPAQUE_NAMES = new Set(['AGENT_KEY', 'agent.api_key']);

/** The canonical variable of a setting: `SCOUT_LOG_LEVEL` for `log.level`. */
const variableOf = (name: string): string => `SCOUT_${name.toUpperCase().replaceAll('.', '_')}`;

/** Path of the setting for each variable that is one, aliases included. */
export function variables(shape: Shape): Map<string, string[]> {
  const known = new Map<string, string[]>();
  const add = (at: Shape, path: string[]) => {
    if (at.kind !== 'map') known.set(variableOf(path.join('.')), path);
    else {
      if (at.switchable) known.set(variableOf(path.join('.')), [...path, 'enabled']);
      for (const [name, field] of Object.entries(at.fields)) add(field, [...path, name]);
    }
  };
  add(shape, []);
  known.delete('SCOUT_');
  for (const [alias, name] of Object.entries(VARIABLE_ALIASES)) known.set(alias, name.split('.'));
  return known;
}

/** Variables that set `name`, the canonical one first; for the reference page. */
export function variablesOf(name: string): string[] {
  const aliases = Object.entries(VARIABLE_ALIASES).filter(([, target]) => target === name);
  return [variableOf(name), ...aliases.map(([alias]) => alias)];
}

export const isNoSetting = (variable: string): boolean => NO_SETTINGS.has(variable);

/** Edits (insert, delete, replace, swap of neighbours) that make one text the other; case is ignored. */
export function editDistance(from: string, to: string): number {
  const a = from.toLowerCase();
  const b = to.toLowerCase();
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(replace, (previous[j] as number) + 1, (row[j - 1] as number) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] as number) + 1);
      row.push(least);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length] as number;
}

/**
 * A name that is not known, fit to be shown: where a colon or an equals sign is amiss, a secret can be part of the name.
 * What follows the first character that no name has goes, and so does what looks like a key.
 */
export function shownName(name: string): string {
  const plain = /^[\w.[\]*-]*/.exec(name)?.[0] ?? '';
  const cut = plain.replace(/[A-Za-z0-9]{16,}/g, (run) => (/\d/.test(run) || run.length > 40 ? '…' : run));
  return cut === name ? name : `${cut.replace(/…$/, '')}…`;
}

/** Edits within which a mistyped name is taken to mean a known one: a third of its length, our prefix not counted. */
const tolerance = (name: string): number => Math.max(1, Math.floor(name.replace(/^SCOUT_/i, '').length / 3));

/** The known name nearest to a mistyped one, when it is near enough to be meant: within `most` edits. */
export function nearestName(name: string, known: Iterable<string>, most = tolerance(name)): string | undefined {
  let best: string | undefined;
  let least = most + 1;
  for (const candidate of known) {
    const distance = editDistance(name, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}
