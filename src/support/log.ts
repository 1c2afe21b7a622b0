type Write = (fields: Record<string, unknown>, message: string) => void;

/** What code that logs is handed; pino's loggers have this shape. Every line carries fields first, then one fixed sentence. */
export interface Log {
  debug: Write;
  info: Write;
  warn: Write;
  error: Write;
}
