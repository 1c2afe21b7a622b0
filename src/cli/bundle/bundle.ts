import { gzipSync } from 'node:zlib';
import { detailOf } from '../../support/errors.ts';
import { VERSION } from '../../support/version.ts';
import { type Gathered, MOST_FILE_BYTES } from './bounded.ts';
import { Redactor } from './redact.ts';
import type { Known } from './secrets.ts';
import type { Step } from './steps.ts';
import { type Member, tar } from './tar.ts';

/** A file of the bundle, or why it is not in it. */
interface Entry {
  name: string;
  about: string;
  /** Bytes after redaction. */
  bytes: number;
  /** Places from which a known secret was taken, and what only looked like one. */
  redacted: { known: number; patterns: number };
  ms: number;
  /** There was more of it. */
  cut?: true;
  /** How its command ended, where that was not with 0. */
  problem?: string;
  /** Why it is not in the bundle. */
  left_out?: string;
}

export interface Manifest {
  made: string;
  version: string;
  ms: number;
  /** How many secrets of this host were looked for in every file, and where none could be looked for. */
  looked_for: { known: number; failed: string[] };
  files: Entry[];
}

interface Limits {
  stepMs: number;
  wholeMs: number;
  bytes: number;
}

const LIMITS: Limits = { stepMs: 30_000, wholeMs: 50_000, bytes: 9 << 20 };
/** Commands at once: more would only be in each other's way on a host that is in trouble. */
const AT_ONCE = 3;
const FOLDER = 'scout-agent-bundle';

/** Takes all steps, redacts what they bring, and packs it: a gzipped tar with a manifest first. `known` is what must not get in. */
export async function makeBundle(
  steps: Step[],
  known: Promise<Known>,
  tell: (text: string) => void,
  limits: Limits = LIMITS,
): Promise<{ archive: Buffer; manifest: Manifest }> {
  const started = performance.now();
  const queue = [...steps];
  const gathered = new Map<Step, Gathered & { ms: number }>();
  const worker = async (): Promise<void> => {
    for (let step = queue.shift(); step; step = queue.shift()) {
      const begun = performance.now();
      const left = limits.wholeMs - (begun - started);
      if (left > 0)
        gathered.set(step, {
          ...(await step.gather(Math.min(limits.stepMs, Math.floor(left)))),
          ms: Math.round(performance.now() - begun),
        });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));

  const { secrets, failed } = await known;
  const redactor = new Redactor(secrets);
  const manifest: Manifest = {
    made: new Date().toISOString(),
    version: VERSION,
    ms: Math.round(performance.now() - started),
    looked_for: { known: secrets.length, failed },
    files: [],
  };
  const members: Member[] = [];
  let room = limits.bytes;
  for (const step of steps) {
    const found = gathered.get(step);
    const { entry, content } = redact(step, found, redactor, room, failed.length > 0);
    manifest.files.push(entry);
    if (entry.problem ?? entry.left_out) tell(`${entry.name}: ${[entry.problem, entry.left_out].filter(Boolean).join('; ')}`);
    if (!content) continue;
    room -= content.length;
    members.push({ name: `${FOLDER}/${entry.name}`, content });
  }
  // It repeats what went wrong, in words of others.
  const { text } = redactor.clean(Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  return { archive: gzipSync(tar([{ name: `${FOLDER}/manifest.json`, content: Buffer.from(text) }, ...members], Date.now())), manifest };
}

function redact(
  { file, about, foreign }: Step,
  found: (Gathered & { ms: number }) | undefined,
  redactor: Redactor,
  room: number,
  unsure: boolean,
): { entry: Entry; content?: Buffer } {
  const entry: Entry = { name: file, about, bytes: 0, redacted: { known: 0, patterns: 0 }, ms: found?.ms ?? 0 };
  if (!found) return { entry: { ...entry, left_out: 'there was no time left' } };
  if (found.problem) entry.problem = found.problem;
  if (found.cut) entry.cut = true;
  // Better no log than one with a secret in it that could not be looked for.
  if (foreign && unsure)
    return {
      entry: { ...entry, left_out: 'not every secret of this host can be read by this user, so none could be vouched for; run it as root' },
    };
  if (found.text.length === 0) return { entry: { ...entry, left_out: 'it is empty' } };
  if (found.text.length > Math.min(room, MOST_FILE_BYTES + (1 << 17)))
    return { entry: { ...entry, left_out: 'the bundle would get too large' } };
  try {
    const { text, known, patterns } = redactor.clean(found.text);
    const content = Buffer.from(text);
    return { entry: { ...entry, bytes: content.length, redacted: { known, patterns } }, content };
  } catch (error) {
    return { entry: { ...entry, left_out: `it could not be redacted: ${detailOf(error)}` } };
  }
}
