import { completionVerb } from '../completion/verb.ts';
import type { Verb } from '../program.ts';

/** `scout-agent completion bash|zsh|fish`. */
export const verb: Verb = completionVerb;
