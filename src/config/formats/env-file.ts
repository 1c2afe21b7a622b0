/**
 * The syntax of systemd's EnvironmentFile=, state for state as its src/basic/env-file.c reads it (since systemd 254;
 * before, a comment that ended in a backslash went on over the next line). Differences from a shell: comments stand at
 * the start of a line only, nothing is expanded, text after a closing quote is joined on, white space around names
 * and unquoted values is dropped.
 */
interface Assignment {
  name: string;
  value: string;
  /** Offsets into the text: of the name, and of the first character of the value (its quote, when it has one). */
  nameAt: number;
  valueAt: number;
}

export interface EnvFile {
  assignments: Assignment[];
  /** Offsets of lines that hold text but no `=`; systemd ignores them. */
  strays: number[];
  /** Offset of a quote that is never closed: the value runs to the end of the file. */
  openQuote?: number;
}

const SPACE = ' \t\n\r';
const NEWLINE = '\n\r';
/** After a backslash in double quotes these lose it; others keep it. */
const UNESCAPED = '"\\`$';

type State =
  | 'before name'
  | 'name'
  | 'before value'
  | 'value'
  | 'escape'
  | 'single quotes'
  | 'double quotes'
  | 'escape in quotes'
  | 'comment'
  | 'escape in comment';

/** Splits the text of an environment file into its assignments, in order, repeated names included. */
export function parseEnvFile(text: string): EnvFile {
  const parsed: EnvFile = { assignments: [], strays: [] };
  let state: State = 'before name';
  let name = '';
  let value = '';
  let nameAt = 0;
  let valueAt = -1;
  let quoteAt = 0;
  /** Length of `value` before its trailing white space; -1 while it has none. */
  let trimmed = -1;

  const push = () => {
    parsed.assignments.push({
      name: name.replace(/[ \t\n\r]+$/, ''),
      value: trimmed === -1 ? value : value.slice(0, trimmed),
      nameAt,
      valueAt,
    });
    state = 'before name';
    name = '';
    value = '';
    valueAt = -1;
    trimmed = -1;
  };

  for (let at = 0; at < text.length; at++) {
    const c = text[at] as string;
    switch (state as State) {
      case 'before name':
        if (c === '#' || c === ';') state = 'comment';
        else if (!SPACE.includes(c)) {
          state = 'name';
          name = c;
          nameAt = at;
        }
        break;
      case 'name':
        if (NEWLINE.includes(c)) {
          state = 'before name';
          parsed.strays.push(nameAt);
        } else if (c === '=') {
          state = 'before value';
          valueAt = at + 1;
        } else name += c;
        break;
      case 'before value':
        if (NEWLINE.includes(c)) push();
        else if (!SPACE.includes(c)) {
          if (value === '') valueAt = at;
          trimmed = -1;
          if (c === "'" || c === '"') {
            state = c === "'" ? 'single quotes' : 'double quotes';
            quoteAt = at;
          } else if (c === '\\') state = 'escape';
          else {
            state = 'value';
            value += c;
          }
        }
        break;
      case 'value':
        if (NEWLINE.includes(c)) push();
        else if (c === '\\') {
          state = 'escape';
          trimmed = -1;
        } else {
          if (!SPACE.includes(c)) trimmed = -1;
          else if (trimmed === -1) trimmed = value.length;
          value += c;
        }
        break;
      case 'escape':
        state = 'value';
        if (!NEWLINE.includes(c)) value += c;
        break;
      case 'single quotes':
        if (c === "'") state = 'before value';
        else value += c;
        break;
      case 'double quotes':
        if (c === '"') state = 'before value';
        else if (c === '\\') state = 'escape in quotes';
        else value += c;
        break;
      case 'escape in quotes':
        state = 'double quotes';
        if (UNESCAPED.includes(c)) value += c;
        else if (c !== '\n') value += `\\${c}`;
        break;
      case 'comment':
        if (c === '\\') state = 'escape in comment';
        else if (NEWLINE.includes(c)) state = 'before name';
        break;
      case 'escape in comment':
        state = NEWLINE.includes(c) ? 'before name' : 'comment';
        break;
    }
  }

  if (state === 'single quotes' || state === 'double quotes' || state === 'escape in quotes') parsed.openQuote = quoteAt;
  if (state === 'name') parsed.strays.push(nameAt);
  else if (valueAt !== -1) push();
  return parsed;
}
