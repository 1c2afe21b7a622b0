import manifest from '../../package.json' with { type: 'json' };

/** Version of the agent and of the hub, which are released together. */
export const VERSION: string = manifest.version;
