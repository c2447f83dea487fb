/** What depends on days passing: the time-skipping server passes them in moments. Only timers and retries are tested here. */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import proto from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { cacheDirectory } from '../../src/system/cache.ts';
import { SEARCH_ATTRIBUTES, type BackupResult, type RestoreResult } from '../../src/workflows/contract.ts';
import { failureOf, Play } from './play.ts';
import { quietRuntime, uniqueName } from './stage.ts';
import { failWith } from './world.ts';

const DAY_SECONDS = 24 * 3600;
const BINARY = path.join(cacheDirectory(), 'tools', 'temporal-test-server-1.38.0', 'temporal-test-server');

let env: TestWorkflowEnvironment;
let play: Play;

beforeAll(async () => {
  quietRuntime();
  env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path: BINARY } },
  });
  // This server can add search attributes but not list them.
  const { INDEXED_VALUE_TYPE_KEYWORD: KEYWORD, INDEXED_VALUE_TYPE_BOOL: BOOL } =
    proto.temporal.api.enums.v1.IndexedValueType;
  const { system, operation, phase, needsOperator } = SEARCH_ATTRIBUTES;
  await env.connection.operatorService.addSearchAttributes({
    namespace: env.namespace ?? 'default',
    searchAttributes: { [system]: KEYWORD, [operation]: KEYWORD, [phase]: KEYWORD, [needsOperator]: BOOL },
  });
  play = new Play(env);
});

afterAll(async () => {
  await env.teardown();
});

describe('over days', () => {
  test('nobody approves within three days: the restore ends as expired and has touched nothing', async () => {
    await play.inWorld({ approvalLimitSeconds: 3 * DAY_SECONDS }, async (world) => {
      const before = await env.currentTimeMs();
      const result = await play.run<RestoreResult>('restore', { system: uniqueName('sys') });
      expect(result.outcome).toBe('expired');
      expect(result.why).toContain('259200');
      expect((await env.currentTimeMs()) - before).toBeGreaterThanOrEqual(3 * DAY_SECONDS * 1000);
      expect(world.names()).toEqual(['describeSystem', 'planRestore']);
    });
  });

  test('the store is down for hours: the backup is made when it is back', async () => {
    const script = {
      commitCapture: (call: number) => {
        if (call < 30) failWith('StoreUnreachable');
      },
    };
    await play.inWorld({ script }, async (world) => {
      const before = await env.currentTimeMs();
      const result = await play.run<BackupResult>('backup', { system: uniqueName('sys'), plan: 'daily' });
      expect(result.outcome).toBe('done');
      expect(world.count('commitCapture')).toBe(30);
      expect((await env.currentTimeMs()) - before).toBeGreaterThan(3600 * 1000);
    });
  });

  test('the store never comes back: the backup gives up after hours with the store as the reason', async () => {
    await play.inWorld({ script: { beginCapture: () => failWith('StoreUnreachable', 'no route') } }, async (world) => {
      const failure = await failureOf(play.run('backup', { system: uniqueName('sys'), plan: 'daily' }));
      expect(failure.type).toBe('StoreUnreachable');
      expect(failure.message).toContain('no route');
      expect(world.count('beginCapture')).toBe(55);
    });
  });
});
