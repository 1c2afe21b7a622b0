declare module 'node-machine-id' {
  const library: {
    /** The machine's id; `true` for the id itself, not a hash of it. */
    machineId(original?: boolean): Promise<string>;
    machineIdSync(original?: boolean): string;
  };
  export default library;
}
