import { defineConfig } from 'vitest/config';

// Rooms whose tests start engines, containers or stores: one file at a time, so that they don't starve each other.
const SERVERS = [
  'engine',
  'docker',
  'workflows',
  'scenarios',
  'cli',
  'crash',
  'guard',
  'scripts',
  'activities',
  'demo',
  'scale',
  'bench',
];

const common = {
  testTimeout: 120_000,
  hookTimeout: 180_000,
  teardownTimeout: 30_000,
  // A test of real servers may meet a busy machine once; a second failure counts. The runner lists what needed it.
  retry: process.env['CI'] === undefined ? 0 : 1,
};

export default defineConfig({
  test: {
    // Two cores: more workers only make the servers under test slower.
    maxWorkers: 2,
    reporters: ['default', './scripts/test/reporter.ts'],
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: SERVERS.map((room) => `test/${room}/**`),
        },
      },
      {
        test: {
          ...common,
          name: 'servers',
          include: SERVERS.map((room) => `test/${room}/**/*.test.ts`),
          maxWorkers: 1,
          fileParallelism: false,
        },
      },
    ],
  },
});
