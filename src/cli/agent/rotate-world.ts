import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CONTROL_SOCKET } from '../../agent/control.ts';
import { type CommandOptions, resolveOptions } from '../../config/options.ts';
import { openingOf, resolveConfig } from '../../config/resolve.ts';
import type { Config } from '../../config/schema.ts';
import { ConfiguredFiles } from '../../rotation/configured.ts';
import { RotationLock } from '../../rotation/lock.ts';
import type { Step, World } from '../../rotation/ports.ts';
import { createKeyService } from '../../rotation/service.ts';
import { decideSealing, FileKeyringStore } from '../../rotation/store.ts';
import { ScoutError } from '../../support/errors.ts';
import { userName } from '../../support/home.ts';
import { hostKeyHere } from './candidates.ts';
import { AgentBySocket } from './rotate-agent.ts';

/** Everything that a rotation on this host works with; `lock` is to be taken before any of it is changed. */
export interface HostWorld extends World {
  agent: AgentBySocket;
  config: Config;
  state: string;
  lock: RotationLock;
}

/**
 * The host as a rotation sees it: its configuration, which must pass its check, the service named there, the keyring in
 * the state folder and the agent that runs on it. Throws the first fault of the configuration.
 */
export async function createWorld(options: CommandOptions, tell: (step: Step) => void, env = process.env): Promise<HostWorld> {
  const resolve = resolveOptions(options, env);
  const resolution = resolveConfig(resolve);
  const { config } = resolution;
  if (!config) throw ScoutError.of(resolution.problems.find(({ severity }) => severity === 'error') as never);
  const state = config.state_dir;
  // Tests kill rotations by the hundred, and cannot wait a minute each time for the agent to go on by itself.
  const longestHold = Number(env.SCOUT_HOLD_MS) || undefined;
  const agent = new AgentBySocket(join(config.runtime_dir, CONTROL_SOCKET), state, longestHold);
  const configured = new ConfiguredFiles(resolve);
  const opening = openingOf(resolve);
  const status = await agent.status();
  const here = hostKeyHere(opening);
  const sealing = decideSealing({
    configuredIsSealed: configured.isSealed(),
    // Of the same user, and yet with another host key: systemd may have handed it one.
    sameOwner: (!existsSync(state) || statSync(state).uid === resolve.uid) && (status === undefined || status.host_key === here),
    agentOpensSealed: here !== null && status?.host_key === here,
  });
  return {
    config,
    state,
    lock: new RotationLock(state),
    service: createKeyService(config, env),
    configured,
    store: new FileKeyringStore(state, { sealing, opening }),
    agent,
    now: () => Date.now(),
    tell,
    endpoint: config.api.endpoint,
  };
}

/** Who asks, for the audit log: the timer's unit has no terminal and an invocation of its own. */
export function actorOf(env: NodeJS.ProcessEnv = process.env): string {
  const name = userName();
  if (env.SUDO_USER && env.SUDO_USER !== name) return `${env.SUDO_USER} (as ${name})`;
  return env.INVOCATION_ID && !process.stdin.isTTY ? `${name} (service manager)` : name;
}
