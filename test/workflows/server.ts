/** The server of a test file. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll } from 'vitest';
import { Play } from './play.ts';
import { devServer } from './stage.ts';

/** To be called once in a test file: one server for all its tests, there before the first and gone after the last. */
export function playOn(server: () => Promise<TestWorkflowEnvironment> = devServer): Play {
  let env: TestWorkflowEnvironment | undefined;
  beforeAll(async () => {
    env = await server();
  });
  afterAll(() => env?.teardown());
  return new Play(() => {
    if (env === undefined) throw new Error('There is no server yet: use this in a test.');
    return env;
  });
}
