import { beforeEach } from 'vitest';
import { Machine, until } from './machine.ts';

/** The version that is there first, and the one that it is upgraded to. */
export const [OLD, NEW] = ['0.0.9', '0.1.0'];
export const CONFIG = '/etc/scout-agent/config.yml';
/** Where drop-ins of the agent's unit go that a test takes away again. */
const DROPS = '/run/systemd/system';

interface Shown {
  instances: { first_sequence: number; accepted: number; gaps: [number, number][] }[];
  refused: Record<string, number>;
}

/** One machine's life, which the tests of several files follow; each goes on from where the one before left it. */
export class Life {
  readonly machine = new Machine();
  /** The key that was set by hand. */
  key = '';
  #broken = false;

  /** After a failure the rest would tell nothing. */
  inOrder(): void {
    beforeEach(({ skip, onTestFailed }) => {
      if (this.#broken) skip();
      onTestFailed(() => {
        this.#broken = true;
      });
    });
  }

  install(name: string, version: string): string {
    return this.machine.run('dpkg', '-i', '--force-confold', `/packages/${name}_${version}-1_amd64.deb`);
  }

  property(unit: string, name: string): string {
    return this.machine.run('systemctl', 'show', '--value', '-p', name, unit).trim();
  }

  journal(unit: string, ...more: string[]): string {
    return this.machine.run('journalctl', '--no-pager', '-o', 'cat', '-u', unit, ...more);
  }

  /** A place in the journal, for `journal(unit, ...since)`. */
  since(): string[] {
    const cursor = /^-- cursor: (.*)$/m.exec(this.machine.run('journalctl', '-n', '0', '--show-cursor'))?.[1] ?? '';
    return [`--after-cursor=${cursor}`];
  }

  status() {
    return JSON.parse(this.machine.run('scout-agent', 'status', '--json'));
  }

  /** One row of `doctor`, whatever its exit status. */
  row(name: string): { status: string; detail: string; remedy: string } | undefined {
    const { checks } = JSON.parse(this.machine.try('scout-agent', 'doctor', '--json').stdout);
    return checks.find((one: { name: string }) => one.name === name);
  }

  shown(): Shown {
    return JSON.parse(this.machine.run('scout-hub', 'server', 'show', 'web-1', '--json'));
  }

  accepted(): number {
    return this.shown().instances.reduce((sum, one) => sum + one.accepted, 0);
  }

  /** Waits until the hub has accepted some more. */
  async more(what: string, count = 2): Promise<void> {
    const before = this.accepted();
    await until(`heartbeats ${what}`, () => this.accepted() >= before + count);
  }

  /** Lays settings of the service over those of the agent's unit, and returns how to take them away. */
  drop(settings: string, unit = 'scout-agent.service', section = 'Service'): () => void {
    const file = `${DROPS}/${unit}.d/test.conf`;
    this.machine.sh(`mkdir -p ${DROPS}/${unit}.d; cat > ${file}; systemctl daemon-reload`, `[${section}]\n${settings}\n`);
    return () => void this.machine.sh(`rm ${file}; rmdir ${DROPS}/${unit}.d; systemctl daemon-reload`);
  }
}
