import type { Format } from './load.ts';

/** What a host needs to report. */
export interface Essentials {
  endpoint: string;
  /** As it is to stand there: plain, or sealed. */
  key: string;
  caFile?: string | undefined;
  hostName?: string | undefined;
}

/** Names of the file under which each format is found in /etc/scout-agent. */
export const FILE_NAMES: Record<Format, string> = { yaml: 'config.yml', toml: 'config.toml', env: 'agent.env' };

const HEAD = `# Configuration of scout-agent; \`scout-agent --check-config\` checks it.
# The key is a secret: keep this file from others. \`scout-agent rotate\` replaces it.
`;

/** A configuration as text. In YAML and TOML a string of JSON is a string. */
export function renderConfig(format: Format, { endpoint, key, caFile, hostName }: Essentials): string {
  const quoted = JSON.stringify;
  if (format === 'env') {
    const lines = { SCOUT_API_ENDPOINT: endpoint, SCOUT_API_KEY: key, SCOUT_TLS_CA_FILE: caFile, SCOUT_HOST_NAME: hostName };
    return (
      HEAD +
      Object.entries(lines)
        .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${variable(value)}\n`]))
        .join('')
    );
  }
  if (format === 'toml') {
    const top = hostName === undefined ? '' : `host_name = ${quoted(hostName)}\n\n`;
    const tls = caFile === undefined ? '' : `\n[tls]\nca_file = ${quoted(caFile)}\n`;
    return `${HEAD}${top}[api]\nendpoint = ${quoted(endpoint)}\nkey = ${quoted(key)}\n${tls}`;
  }
  const top = hostName === undefined ? '' : `host_name: ${quoted(hostName)}\n`;
  const tls = caFile === undefined ? '' : `tls:\n  ca_file: ${quoted(caFile)}\n`;
  return `${HEAD}${top}api:\n  endpoint: ${quoted(endpoint)}\n  key: ${quoted(key)}\n${tls}`;
}

/** A value as systemd and shells read it alike. */
const variable = (value: string): string => (/^[A-Za-z0-9_.:/@%+=,-]+$/.test(value) ? value : `"${value.replace(/["\\$`]/g, '\\$&')}"`);
