import { parse, TomlDate, TomlError } from 'smol-toml';
import { problem } from '../../support/errors.ts';
import { shownName } from '../names.ts';
import { emptyMap, type MapNode, type Node } from '../tree.ts';
import { type Document, Lines } from './document.ts';
import { tomlPlaces } from './toml-places.ts';

/** Reads TOML 1.0 with the place of each value. */
export function readToml(file: string, text: string): Document {
  const lines = new Lines(file, text);
  try {
    const values = parse(text);
    return { root: convert(values, [], lines, tomlPlaces(text).places) as MapNode, problems: [] };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const root = emptyMap(lines.at(0));
    const { duplicate } = /redefine/.test(error.message) ? tomlPlaces(text) : {};
    if (duplicate) {
      const other = lines.at(duplicate.first);
      const params = { name: shownName(duplicate.name), other: `${file}:${other.line}:${other.column}` };
      return { root, problems: [problem('CONFIG_DUPLICATE', params, lines.at(duplicate.second))], unreadable: true };
    }
    const place = { file, line: error.line, column: error.column };
    return { root, problems: [problem('CONFIG_SYNTAX', { format: 'TOML', detail: sentence(error) }, place)] };
  }
}

/** The library's first line, which quotes none of the text; for the usual slip, what to do. */
function sentence(error: TomlError): string {
  const detail = (error.message.split('\n')[0] ?? '').replace('Invalid TOML document: ', '');
  if (/control characters/.test(detail)) return 'the text goes on in the next line; a quote is missing at its end';
  if (/in key|^key/.test(detail)) return `${/["'`]/.test(detail) ? 'invalid name' : detail}; a line is \`name = value\``;
  if (/^invalid value|numeric|lossless|leading zero|date/.test(detail))
    return `${detail.includes('"') ? 'invalid value' : detail}; text must stand in quotes`;
  return /["'`]/.test(detail) ? 'invalid value' : detail;
}

function convert(value: unknown, path: (string | number)[], lines: Lines, places: Map<string, { name: number; value: number }>): Node {
  const offset = places.get(JSON.stringify(path));
  const at = lines.at(offset?.value ?? 0);
  if (Array.isArray(value)) return { kind: 'list', at, items: value.map((item, index) => convert(item, [...path, index], lines, places)) };
  if (typeof value !== 'object' || value === null) return { kind: 'scalar', value, at };
  if (value instanceof TomlDate) return { kind: 'scalar', value: value.toISOString(), at };
  const map = emptyMap(at);
  for (const [name, inner] of Object.entries(value)) {
    const nameAt = lines.at(places.get(JSON.stringify([...path, name]))?.name ?? 0);
    map.entries.set(name, { written: [...path, name].join('.'), at: nameAt, value: convert(inner, [...path, name], lines, places) });
  }
  return map;
}
