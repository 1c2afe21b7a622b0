import { completionVerb } from '../completion/verb.ts';
import type { Verb } from '../program.ts';

/** `scout-hub completion bash|zsh|fish`. */
export const verb: Verb = completionVerb;
