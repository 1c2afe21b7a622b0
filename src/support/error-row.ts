/** Exit statuses that scripts may rely on (sysexits.h, and CLI.md). */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 64,
  unreachable: 69,
  again: 75,
  refused: 77,
  config: 78,
} as const;

/** What is said of an error; `{name}` stands for a parameter. */
export interface Row {
  exit: number;
  message: string;
  remedy: string;
}

export const row = (exit: number, message: string, remedy: string): Row => ({ exit, message, remedy });
/** A row for a fault of the configuration. */
export const config = (message: string, remedy: string) => row(EXIT.config, message, remedy);
