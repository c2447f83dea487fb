import { defineConfig } from 'vitest/config';
import { SELECTIONS } from './scripts/test/lanes.ts';
import { compileCacheDirectory } from './src/system/cache.ts';

// Every program that a test starts would strip and compile its files anew otherwise.
process.env['NODE_COMPILE_CACHE'] ??= compileCacheDirectory();

const common = {
  testTimeout: 120_000,
  hookTimeout: 180_000,
  teardownTimeout: 30_000,
  // A test of real servers may meet a busy machine once; a second failure counts. The runner lists what needed it.
  retry: process.env['CI'] === undefined ? 0 : 1,
};

/** One file at a time, so that servers don't starve each other: the runner has one of these beside the other. */
const alone = { maxWorkers: 1, fileParallelism: false };

export default defineConfig({
  test: {
    // Two cores: more workers only make the servers under test slower.
    maxWorkers: 2,
    reporters: ['default', './scripts/test/reporter.ts'],
    projects: [
      { test: { ...common, name: 'unit', ...SELECTIONS.unit } },
      { test: { ...common, ...alone, name: 'servers', ...SELECTIONS.servers } },
      { test: { ...common, ...alone, name: 'databases', ...SELECTIONS.databases } },
      { test: { ...common, ...alone, name: 'sites', ...SELECTIONS.sites } },
      { test: { ...common, ...alone, name: 'examples', ...SELECTIONS.examples } },
    ],
  },
});
