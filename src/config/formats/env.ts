import { type Problem, problem } from '../../support/errors.ts';
import { isNoSetting, nearestName, shownName } from '../names.ts';
import { type Entry, emptyMap, isNull, type MapNode, setEntry, toPlain } from '../tree.ts';
import { type Document, Lines } from './document.ts';
import { parseEnvFile } from './env-file.ts';

/** Reads an environment file. `known` maps the variables that are settings onto their paths. */
export function readEnv(file: string, text: string, known: Map<string, string[]>): Document {
  const lines = new Lines(file, text);
  const { assignments, strays, openQuote } = parseEnvFile(text);
  const root = emptyMap(lines.at(0));
  const problems: Problem[] = [];
  const syntax = (offset: number, detail: string, severity: Problem['severity']) =>
    problems.push(problem('CONFIG_SYNTAX', { format: 'an environment file', detail }, lines.at(offset), severity));

  for (const offset of strays) syntax(offset, 'the line has no `=`; systemd skips it', 'warning');
  if (openQuote !== undefined) syntax(openQuote, 'this quote is never closed', 'error');

  const seen = new Map<string, Entry>();
  for (const assignment of assignments) {
    const at = lines.at(assignment.nameAt);
    const exported = /^export[ \t]+/.exec(assignment.name);
    if (exported) problems.push(problem('CONFIG_EXPORT', {}, at, 'warning'));
    const name = exported ? assignment.name.slice(exported[0].length) : assignment.name;
    const value = assignment.value === '' ? null : assignment.value;
    const entry: Entry = { written: name, at, value: { kind: 'scalar', value, at: lines.at(assignment.valueAt) } };

    const twice = seen.get(name);
    if (twice) {
      problems.push(problem('CONFIG_DUPLICATE', { name: shownName(name), other: placeText(twice) }, at));
      continue;
    }
    seen.set(name, entry);
    const path = known.get(name);
    if (path) addSetting(root, path, entry, problems);
    else if (!isNoSetting(name)) problems.push(unknownVariable(name, known.keys(), at));
  }
  return { root, problems };
}

/** Puts a setting at its canonical path; a second alias with another value is a fault that names both. */
export function addSetting(root: MapNode, path: string[], entry: Entry, problems: Problem[]): void {
  const parent = path.slice(0, -1).reduce<MapNode | undefined>((map, step) => {
    const next = map?.entries.get(step)?.value;
    return next?.kind === 'map' ? next : undefined;
  }, root);
  const old = parent?.entries.get(path.at(-1) as string);
  if (old && !isNull(old.value)) {
    if (isNull(entry.value)) return;
    if (JSON.stringify(toPlain(old.value)) !== JSON.stringify(toPlain(entry.value))) {
      const place = 'file' in entry.at ? entry.at : {};
      problems.push(problem('CONFIG_DUPLICATE', { name: path.join('.'), other: placeText(old) }, place));
    }
    return;
  }
  if (!setEntry(root, path, entry)) {
    const place = 'file' in entry.at ? entry.at : {};
    problems.push(problem('CONFIG_CONFLICT', { name: entry.written, other: path.slice(0, -1).join('.') }, place));
  }
}

function placeText(entry: Entry): string {
  return 'file' in entry.at ? `${entry.at.file}:${entry.at.line}:${entry.at.column} (${shownName(entry.written)})` : entry.written;
}

/** Files read by systemd carry variables of others: only a name that begins like ours is a fault. */
function unknownVariable(name: string, known: Iterable<string>, at: Entry['at']): Problem {
  const nearest = nearestName(name, known);
  const severity = /^SCOUT/i.test(name) ? 'error' : 'warning';
  const place = 'file' in at ? at : {};
  return nearest
    ? problem('CONFIG_UNKNOWN_KEY', { name: shownName(name), nearest }, place, severity)
    : problem('CONFIG_UNKNOWN_KEY_FAR', { name: shownName(name) }, place, severity);
}
