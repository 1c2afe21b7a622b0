import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { detailOf, type Problem, problem } from '../support/errors.ts';
import { readRegular } from '../support/regular-file.ts';
import type { Document } from './formats/document.ts';
import { readEnv } from './formats/env.ts';
import { readToml } from './formats/toml.ts';
import { readYaml } from './formats/yaml.ts';
import { emptyMap } from './tree.ts';

const MOST_BYTES = 1_048_576;

/** One file of the configuration, read. */
export interface Loaded extends Document {
  file: string;
}

/** What the files hold: the main one first, then conf.d in name order. */
export interface Files {
  documents: Loaded[];
  /** The folder conf.d beside the file, when it is there. */
  folder?: string;
}

export type Format = 'toml' | 'yaml' | 'env';

/** The format a name tells; `agent.env.yml` is YAML. */
export function formatOf(file: string): Format | undefined {
  const suffix = /\.(toml|ya?ml|env)$/i.exec(file)?.[1]?.toLowerCase();
  return suffix === 'yml' ? 'yaml' : (suffix as Format | undefined);
}

/** Reads a file and the conf.d beside it. `known` maps variables onto the paths of settings. */
export function loadFiles(file: string, known: Map<string, string[]>): Files {
  const documents = [loadFile(file, known)];
  // /etc/conf.d belongs to the system's init scripts, not to us.
  if (path.basename(path.dirname(file)) === 'etc') return { documents };
  const folder = path.join(path.dirname(file), 'conf.d');
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { documents };
    const unreadable = problem('FILE_UNREADABLE', { path: folder, detail: detailOf(error) }, { file: folder });
    return { documents: [...documents, { file: folder, root: emptyMap({ file: folder, line: 1, column: 1 }), problems: [unreadable] }] };
  }
  const wanted = names.filter((name) => !name.startsWith('.') && formatOf(name)).sort();
  return { documents: [...documents, ...wanted.map((name) => loadFile(path.join(folder, name), known))], folder };
}

function loadFile(file: string, known: Map<string, string[]>): Loaded {
  const failed = (...problems: Problem[]): Loaded => ({ file, root: emptyMap({ file, line: 1, column: 1 }), problems });
  const format = formatOf(file);
  if (!format) return failed(problem('CONFIG_FORMAT_UNKNOWN', { path: file }, { file }));
  let bytes: Buffer;
  try {
    const { size } = statSync(file);
    if (size > MOST_BYTES) return failed(problem('CONFIG_TOO_LARGE', { path: file, size }, { file }));
    bytes = readRegular(file);
  } catch (error) {
    return failed(problem('FILE_UNREADABLE', { path: file, detail: detailOf(error) }, { file }));
  }
  const noText = (detail: string) => failed(problem('CONFIG_SYNTAX', { format: format.toUpperCase(), detail }, { file }));
  if (bytes.includes(0)) return noText('the file holds zero bytes; it is UTF-16, or no text at all');
  let text: string;
  try {
    // Takes away a byte order mark, which editors on Windows leave.
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return noText('the file is not UTF-8 text');
  }
  const read = format === 'env' ? readEnv(file, text, known) : format === 'toml' ? readToml(file, text) : readYaml(file, text);
  return { file, ...read };
}
