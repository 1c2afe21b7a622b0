/**
 * Where the values of a TOML document stand; the parser tells values only. Runs over text that the parser took (or
 * refused for a repeated name), so it needs to know where things end, not whether they are right.
 */
export interface TomlPlaces {
  /** Offsets by path (`JSON.stringify` of its steps): of the name, and of the value. */
  places: Map<string, { name: number; value: number }>;
  /** The first name that was set twice: offsets of both. */
  duplicate?: { name: string; first: number; second: number };
}

type Path = (string | number)[];

/** Finds the places of all values, and the first repeated name. */
export function tomlPlaces(text: string): TomlPlaces {
  return new Scanner(text).scan();
}

class Scanner {
  private readonly text: string;
  private at = 0;
  private readonly found: TomlPlaces = { places: new Map() };
  /** Tables opened by `[name]`, which must not be opened again. */
  private readonly opened = new Set<string>();
  /** How many items each `[[name]]` has so far. */
  private readonly counts = new Map<string, number>();

  constructor(text: string) {
    this.text = text;
  }

  scan(): TomlPlaces {
    let table: Path = [];
    while (this.at < this.text.length && !this.found.duplicate) {
      this.skip('\n');
      const start = this.at;
      if (start >= this.text.length) break;
      if (this.text[start] === '[') table = this.header();
      else this.pair(table);
      if (this.at === start) this.at++;
    }
    return this.found;
  }

  /** `[a.b]` or `[[a.b]]`: the path that the following lines belong to. */
  private header(): Path {
    const many = this.text[this.at + 1] === '[';
    this.at += many ? 2 : 1;
    this.skip('');
    const start = this.at;
    const path = this.arrayItems(this.name());
    this.skip('');
    this.at += many ? 2 : 1;
    this.parents(path, 1, start);
    const id = JSON.stringify(path);
    if (many) {
      const count = this.counts.get(id) ?? 0;
      this.counts.set(id, count + 1);
      if (count === 0) this.record(path, start, start);
      path.push(count);
      this.found.places.set(JSON.stringify(path), { name: start, value: start });
    } else {
      const known = this.found.places.get(id);
      if (this.opened.has(id) && known) this.found.duplicate = { name: path.join('.'), first: known.name, second: start };
      this.opened.add(id);
      this.found.places.set(id, { name: start, value: start });
    }
    return path;
  }

  /** A path through `[[tables]]` means their last item. */
  private arrayItems(names: string[]): Path {
    const path: Path = [];
    for (const [index, name] of names.entries()) {
      path.push(name);
      const count = this.counts.get(JSON.stringify(path));
      if (count !== undefined && index < names.length - 1) path.push(count - 1);
    }
    return path;
  }

  /** `a.b = value` */
  private pair(table: Path): void {
    const start = this.at;
    const names = this.name();
    this.skip('');
    if (this.text[this.at] !== '=') return;
    this.at++;
    this.skip('');
    const path = [...table, ...names];
    this.parents(path, table.length + 1, start);
    this.record(path, start, this.at);
    this.value(path);
  }

  /** Tables that a dotted name makes on its way. */
  private parents(path: Path, from: number, at: number): void {
    for (let length = from; length < path.length; length++) {
      const id = JSON.stringify(path.slice(0, length));
      if (!this.found.places.has(id)) this.found.places.set(id, { name: at, value: at });
    }
  }

  private record(path: Path, name: number, value: number): void {
    const id = JSON.stringify(path);
    const known = this.found.places.get(id);
    if (known && !this.found.duplicate) this.found.duplicate = { name: path.join('.'), first: known.name, second: name };
    else this.found.places.set(id, { name, value });
  }

  /** A dotted name; its parts are bare or in quotes. */
  private name(): string[] {
    const parts: string[] = [];
    for (;;) {
      this.skip('');
      const start = this.at;
      const quote = this.text[start];
      if (quote === '"' || quote === "'") {
        this.string();
        const inner = this.text.slice(start + 1, this.at - 1);
        parts.push(quote === '"' ? unquote(inner) : inner);
      } else {
        while (/[A-Za-z0-9_-]/.test(this.text[this.at] ?? '')) this.at++;
        parts.push(this.text.slice(start, this.at));
      }
      this.skip('');
      if (this.text[this.at] !== '.') return parts;
      this.at++;
    }
  }

  private value(path: Path): void {
    const c = this.text[this.at];
    if (c === '"' || c === "'") this.string();
    else if (c === '[') this.array(path);
    else if (c === '{') this.inlineTable(path);
    else while (this.at < this.text.length && !/[,\]}\n#]/.test(this.text[this.at] as string)) this.at++;
  }

  private array(path: Path): void {
    this.at++;
    for (let index = 0; ; index++) {
      this.skip('\n,');
      if (this.at >= this.text.length || this.text[this.at] === ']') break;
      const start = this.at;
      this.found.places.set(JSON.stringify([...path, index]), { name: start, value: start });
      this.value([...path, index]);
      if (this.at === start) break;
    }
    this.at++;
  }

  private inlineTable(path: Path): void {
    this.at++;
    for (;;) {
      this.skip('\n,');
      const start = this.at;
      if (start >= this.text.length || this.text[start] === '}' || this.found.duplicate) break;
      this.pair(path);
      if (this.at === start) break;
    }
    this.at++;
  }

  /** Over a string of any of the four kinds. */
  private string(): void {
    const quote = this.text[this.at] as string;
    const fence = this.text.startsWith(quote.repeat(3), this.at) ? quote.repeat(3) : quote;
    this.at += fence.length;
    while (this.at < this.text.length && !this.text.startsWith(fence, this.at))
      this.at += quote === '"' && this.text[this.at] === '\\' ? 2 : 1;
    this.at += fence.length;
    // One or two quotes may stand right before the closing three.
    if (fence.length === 3) while (this.text[this.at] === quote) this.at++;
  }

  /** Over blanks and comments, and over the characters given. */
  private skip(also: string): void {
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined) return;
      if (c === '#' && also.includes('\n')) {
        while (this.at < this.text.length && this.text[this.at] !== '\n') this.at++;
      } else if (c === ' ' || c === '\t' || c === '\r' || also.includes(c)) this.at++;
      else return;
    }
  }
}

/** A quoted name's escapes; they are JSON's, but for \e, \x and \U, which no setting's name has. */
function unquote(inner: string): string {
  try {
    return JSON.parse(`"${inner}"`) as string;
  } catch {
    return inner;
  }
}
