/**
 * States of TCP connections in the kernel's order (include/net/tcp_states.h), in the words of OpenTelemetry's
 * `network.connection.state`; index 12 (NEW_SYN_RECV) is a connection half open, too.
 */
export const TCP_STATES = [
  '',
  'established',
  'syn_sent',
  'syn_received',
  'fin_wait_1',
  'fin_wait_2',
  'time_wait',
  'closed',
  'close_wait',
  'last_ack',
  'listen',
  'closing',
  'syn_received',
] as const;

/**
 * Adds to `counts` (by index of TCP_STATES) the connections of whole lines of /proc/net/tcp or tcp6, without splitting
 * them: the state is the two hex digits after the third blank that follows the colon of the slot.
 */
export function countTcpStates(text: string, counts: number[]): void {
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from);
    if (end < 0) return;
    // `   0: 0100007F:1F90 00000000:0000 0A …`
    const slot = text.indexOf(': ', from);
    if (slot > 0 && slot < end) {
      const local = text.indexOf(' ', slot + 2);
      const remote = text.indexOf(' ', local + 1);
      if (local > 0 && remote > 0 && remote + 2 < end) {
        const state = hex(text.charCodeAt(remote + 1)) * 16 + hex(text.charCodeAt(remote + 2));
        if (state > 0 && state < TCP_STATES.length) counts[state] = (counts[state] ?? 0) + 1;
      }
    }
    from = end + 1;
  }
}

function hex(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 65 && code <= 70) return code - 55;
  return Number.NaN;
}
