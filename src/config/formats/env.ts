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

  for (const { from, count } of runs(strays.map((offset) => lines.at(offset).line))) {
    const which = count === 1 ? 'the line has' : count === 2 ? 'this line and the next have' : `this and the ${count - 1} after it have`;
    syntax(strays[from] as number, `${which} no \`=\`; systemd skips ${count === 1 ? 'it' : 'them'}`, 'warning');
  }
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
    const comment = commentAt(text, assignment.valueAt);
    if (comment !== undefined)
      syntax(comment, 'what follows `#` belongs to the value; systemd takes comments on lines of their own only', 'warning');
    const path = known.get(name);
    if (path) addSetting(root, path, entry, problems);
    else if (!isNoSetting(name)) problems.push(unknownVariable(name, known.keys(), at));
  }
  return { root, problems };
}

/** Numbers that follow each other, as one run each: where in the list it begins, and how long it is. */
function runs(numbers: number[]): { from: number; count: number }[] {
  const found: { from: number; count: number }[] = [];
  for (const [index, number] of numbers.entries()) {
    const last = found.at(-1);
    if (last && number === (numbers[index - 1] as number) + 1) last.count++;
    else found.push({ from: index, count: 1 });
  }
  return found;
}

/** Offset of a `#` after white space behind a value, which a shell would take for the start of a comment. */
function commentAt(text: string, valueAt: number): number | undefined {
  const line = /^.*/.exec(text.slice(valueAt))?.[0] ?? '';
  const before = /^(?:[^\s'"].*?[ \t]|(["']).*?\1[ \t]*)(?=#)/.exec(line)?.[0];
  return before === undefined ? undefined : valueAt + before.length;
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
      // Of a variable there is no place to point at.
      if ('variable' in entry.at) problems.push(problem('CONFIG_CONFLICT', { name: entry.written, other: old.written }));
      else {
        const place = 'file' in entry.at ? entry.at : {};
        problems.push(problem('CONFIG_DUPLICATE', { name: path.join('.'), other: placeText(old) }, place));
      }
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
  const names = [...known];
  const nearest = names.find((one) => one === `SCOUT_${name.toUpperCase()}`) ?? nearestName(name, names);
  const severity = /^SCOUT/i.test(name) ? 'error' : 'warning';
  const place = 'file' in at ? at : {};
  return nearest
    ? problem('CONFIG_UNKNOWN_KEY', { name: shownName(name), nearest: `\`${nearest}\`` }, place, severity)
    : problem('CONFIG_UNKNOWN_KEY_FAR', { name: shownName(name) }, place, severity);
}
