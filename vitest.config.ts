import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Two cores: more workers only make the servers under test slower.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 180_000,
    teardownTimeout: 30_000,
    // A test of real servers may meet a busy machine once; a second failure counts. The runner lists what needed it.
    retry: process.env['CI'] === undefined ? 0 : 1,
    reporters: ['default'],
  },
});
