import type { Surroundings } from '../../support/surroundings.ts';

/** What to do about the agent as a whole; how depends on what runs it. Whole sentences, but for `again`. */
interface Remedies {
  start: string;
  restart: string;
  reload: string;
  clock: string;
  /** Behind `…, `: has the agent see what was changed for it. */
  again: string;
}

/** By what runs the agent. The systemd ones name the way without it too: a host may have both. */
export const REMEDIES: Record<Surroundings, Remedies> = {
  systemd: {
    start: 'Start it with `systemctl start scout-agent` or `scout-agent --daemon`.',
    restart: 'Run: systemctl restart scout-agent (or scout-agent stop, then scout-agent --daemon)',
    reload: 'Run: systemctl reload scout-agent (or kill -HUP its process)',
    clock: 'Set it: timedatectl set-ntp true',
    again: 'then systemctl restart scout-agent',
  },
  plain: {
    start: 'Start it with `scout-agent --daemon`, or by its init script.',
    restart: 'Run: scout-agent stop, then scout-agent --daemon (or the init script with restart)',
    reload: 'Run: kill -HUP with the number of its process',
    clock: 'Set it, and have an NTP client keep it.',
    again: 'then stop and start the agent',
  },
  container: {
    start: 'Start its container: docker start NAME; in Kubernetes the kubelet does so.',
    restart: 'Restart the container: docker restart NAME, or kubectl delete pod NAME',
    reload: 'Run: docker kill --signal HUP NAME; or restart the container',
    clock: 'Set it on the host of this container: timedatectl set-ntp true',
    again: 'then restart the container',
  },
  windows: {
    start: 'Run as an administrator: Start-Service scout-agent',
    restart: 'Run as an administrator: Restart-Service scout-agent',
    reload: 'Run as an administrator: Restart-Service scout-agent',
    clock: 'Set it: w32tm /resync',
    again: 'then Restart-Service scout-agent',
  },
};
