import { agentProgram } from '../src/cli/agent.ts';
import { type Described, describeCommand } from '../src/cli/completion/describe.ts';
import { hubProgram } from '../src/cli/hub.ts';
import type { Manual } from './man.ts';

/** One of the two programs, as far as its package differs from the other's. */
export interface Program {
  name: 'scout-agent' | 'scout-hub';
  /** Its folder in the build. */
  bundle: 'agent' | 'hub';
  summary: string;
  /** The long description, a paragraph an entry. */
  description: string[];
  units: string[];
  /** Folders that the package makes, with their modes; the owner is the maintainer script's to set. */
  folders: [string, number][];
  /** Configuration that a person may edit, from packaging/: the file there, and its place. */
  conffiles: [string, string][];
  /** What is for those who want it, from packaging/, among the documentation. */
  examples: string[];
  describe: () => Promise<Described>;
  manual: Pick<Manual, 'files' | 'signals' | 'see'>;
}

export const PROGRAMS: readonly Program[] = [
  {
    name: 'scout-agent',
    bundle: 'agent',
    summary: 'small host monitoring agent whose key rotates without a gap',
    description: [
      'scout-agent samples the host every ten seconds and sends heartbeats to a service, each delivered once: they wait on disk through restarts, outages and full disks.',
      'Its API key is sealed to the host and can be replaced at any hour, with the agent never restarted and no heartbeat refused. Besides scout-hub it reports to any OTLP/HTTP endpoint, and Prometheus may scrape it.',
      'The package brings the Node.js that it was tested with.',
    ],
    units: ['scout-agent.service', 'scout-agent-rotate.service', 'scout-agent-rotate.timer'],
    folders: [['etc/scout-agent', 0o750]],
    conffiles: [
      ['config.yml.example', 'etc/scout-agent/config.yml.example'],
      ['scout-agent.logrotate', 'etc/logrotate.d/scout-agent'],
    ],
    examples: ['init/scout-agent.sysvinit', 'init/scout-agent.openrc', 'init/systemd-254.conf'],
    describe: async () => describeCommand(await agentProgram()),
    manual: {
      signals: [
        ['SIGTERM, SIGINT', 'Stop, after flushing to the outbox.'],
        ['SIGHUP', 'Reload. A wrong configuration is reported, and the one before stays in force.'],
        ['SIGUSR2', 'Debug logging for five minutes.'],
      ],
      files: [
        ['/etc/scout-agent/config.yml', 'The configuration; config.toml and agent.env are read as well. See config.yml.example beside it.'],
        ['/etc/scout-agent/host.key', 'What sealed values open with, together with the machine id.'],
        ['/var/lib/scout-agent/', 'Heartbeats that wait for delivery, the keyring, the audit log.'],
        ['/run/scout-agent/control.sock', "The commands' way to the running agent."],
        ['/usr/share/doc/scout-agent/', 'Every setting, every error with its remedy, and what to do when something is wrong.'],
      ],
      see: '.BR scout\\-hub (1),\n.BR systemctl (1),\n.BR journalctl (1)',
    },
  },
  {
    name: 'scout-hub',
    bundle: 'hub',
    summary: 'service that scout-agent reports to, with keys and a fleet page',
    description: [
      'scout-hub issues and rotates the keys of agents, takes their heartbeats, and shows the fleet in a browser: one process with an embedded database.',
      'The package brings the Node.js that it was tested with.',
    ],
    units: ['scout-hub.service'],
    folders: [],
    conffiles: [['scout-hub.default', 'etc/default/scout-hub']],
    examples: [],
    describe: async () => describeCommand(await hubProgram()),
    manual: {
      signals: [
        ['SIGTERM, SIGINT', 'Stop, once the requests under way are answered.'],
        ['SIGHUP', 'Read the certificate again.'],
      ],
      files: [
        ['/etc/default/scout-hub', 'Options of the service.'],
        ['/var/lib/scout-hub/', 'The database, and the certificate authority of --tls-self-signed (ca.pem).'],
      ],
      see: '.BR scout\\-agent (1),\n.BR systemctl (1),\n.BR journalctl (1)',
    },
  },
];
