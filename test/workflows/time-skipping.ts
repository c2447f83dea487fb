/** The server that passes days in moments: while a result is waited for and nothing else is to be done. */
import path from 'node:path';
import proto from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { cacheDirectory } from '../../src/system/cache.ts';
import { SEARCH_ATTRIBUTES } from '../../src/workflows/contract.ts';
import { quietRuntime } from './stage.ts';

const BINARY = path.join(cacheDirectory(), 'tools', 'temporal-test-server-1.38.0', 'temporal-test-server');

export async function timeSkippingServer(): Promise<TestWorkflowEnvironment> {
  quietRuntime();
  const env = await startServer();
  // This server can add search attributes but not list them.
  const { INDEXED_VALUE_TYPE_KEYWORD: KEYWORD, INDEXED_VALUE_TYPE_BOOL: BOOL } =
    proto.temporal.api.enums.v1.IndexedValueType;
  const { system, operation, phase, needsOperator } = SEARCH_ATTRIBUTES;
  await env.connection.operatorService.addSearchAttributes({
    namespace: env.namespace ?? 'default',
    searchAttributes: { [system]: KEYWORD, [operation]: KEYWORD, [phase]: KEYWORD, [needsOperator]: BOOL },
  });
  return env;
}

/** The SDK gives it five seconds to start, which a busy machine may not have. */
async function startServer(): Promise<TestWorkflowEnvironment> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const server = { executable: { type: 'existing-path', path: BINARY } } as const;
      return await TestWorkflowEnvironment.createTimeSkipping({ server });
    } catch (error) {
      if (attempt === 20 || !String(error).includes('did not start')) throw error;
    }
  }
}
