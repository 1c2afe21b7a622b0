import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real processes, TLS and SQLite on two cores: generous, because a slow machine must not fail a right program.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000, interval: 20 } },
    globalSetup: 'test/helpers/global.ts',
    pool: 'forks',
    maxWorkers: 2,
  },
});
