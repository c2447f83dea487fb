import { defineConfig } from 'vitest/config';

// Tests that start engines, containers or stores: one file at a time, so that they don't starve each other.
const ROOMS = [
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
  'postgres',
];
const SERVERS = [
  ...ROOMS.map((room) => `test/${room}/**/*.test.ts`),
  'test/sources/{volume,compose}.test.ts',
  'test/stores/{s3,sftp,gcs,azure}*.test.ts',
  'test/vault/stores.test.ts',
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
          exclude: SERVERS,
        },
      },
      {
        test: {
          ...common,
          name: 'servers',
          include: SERVERS,
          maxWorkers: 1,
          fileParallelism: false,
        },
      },
    ],
  },
});
