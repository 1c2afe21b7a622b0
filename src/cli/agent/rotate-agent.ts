import type { AgentStatus, ControlRequest, ControlResults } from '../../agent/control.ts';
import { ask } from '../../agent/control-client.ts';
import { isHeld } from '../../agent/state-lock.ts';
import type { RunningAgent } from '../../rotation/ports.ts';
import { ScoutError } from '../../support/errors.ts';

/** The agent may read its configuration first. */
const ANSWER_MS = 20_000;
/** A request in flight may take as long as the service is given for its answer, and as long again to be tried once more. */
const SLOW_MS = 60_000;

/** The running agent of a state folder, by its control socket; the port that a rotation speaks to. */
export class AgentBySocket implements RunningAgent {
  readonly #socket: string;
  readonly #state: string;
  readonly #longest: number;

  /** `longest`: no hold is asked for that lasts longer than this many ms, whatever `hold` is given. */
  constructor(socket: string, state: string, longest = Number.POSITIVE_INFINITY) {
    this.#socket = socket;
    this.#state = state;
    this.#longest = longest;
  }

  /** What it says of itself; undefined when none runs, or it does not answer. */
  async status(): Promise<AgentStatus | undefined> {
    return this.#ask({ command: 'status' }, ANSWER_MS).catch(() => undefined);
  }

  async hold(ms: number): Promise<boolean> {
    return (await this.#ask({ command: 'hold', ms: Math.min(ms, this.#longest) }, SLOW_MS)) !== undefined;
  }

  async release(): Promise<void> {
    await this.#ask({ command: 'release' }, ANSWER_MS);
  }

  async adopt(fingerprint: string): ReturnType<RunningAgent['adopt']> {
    try {
      const report = await this.#ask({ command: 'adopt', fingerprint }, SLOW_MS);
      return report ? { kind: report.outcome, detail: report.detail } : { kind: 'absent', detail: 'no agent runs here' };
    } catch (error) {
      if (error instanceof ScoutError) return { kind: 'pending', detail: error.problem.message };
      throw error;
    }
  }

  /** Undefined when nobody listens. An agent that has the state folder and does not answer is another matter: it throws. */
  async #ask<Request extends ControlRequest>(request: Request, ms: number): Promise<ControlResults[Request['command']] | undefined> {
    try {
      return await ask(this.#socket, request, ms);
    } catch (error) {
      const silent = error instanceof ScoutError && error.code === 'AGENT_NOT_RUNNING';
      if (!silent || isHeld(this.#state)) throw error;
      return undefined;
    }
  }
}
