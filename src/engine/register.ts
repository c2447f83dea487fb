/** What Holdfast needs inside a Temporal namespace: search attributes, and histories that are kept long enough. */
import type { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import type { temporal } from '@temporalio/proto';
import { SEARCH_ATTRIBUTES } from '../workflows/contract.ts';

export const KEPT_DAYS = 90;
const DAY_SECONDS = 24 * 3600;

const { INDEXED_VALUE_TYPE_KEYWORD: KEYWORD, INDEXED_VALUE_TYPE_BOOL: BOOL } =
  proto.temporal.api.enums.v1.IndexedValueType;

const TYPES: Readonly<Record<string, temporal.api.enums.v1.IndexedValueType>> = {
  [SEARCH_ATTRIBUTES.system]: KEYWORD,
  [SEARCH_ATTRIBUTES.operation]: KEYWORD,
  [SEARCH_ATTRIBUTES.phase]: KEYWORD,
  [SEARCH_ATTRIBUTES.needsOperator]: BOOL,
};

/** Registers the search attributes that are missing and returns their names. A repeat changes nothing. */
export async function registerSearchAttributes(connection: Connection, namespace: string): Promise<string[]> {
  const known = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.entries(TYPES).filter(([name]) => known.customAttributes[name] === undefined);
  if (missing.length > 0) {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(missing) });
  }
  return missing.map(([name]) => name);
}

/** Raises the retention of the embedded server's namespace, which would forget a history after a day. */
export async function raiseRetention(connection: Connection, namespace: string): Promise<boolean> {
  const seconds = await namespaceKeepsSeconds(connection, namespace);
  if (seconds >= KEPT_DAYS * DAY_SECONDS) return false;
  await connection.workflowService.updateNamespace({
    namespace,
    config: { workflowExecutionRetentionTtl: msToTs(KEPT_DAYS * DAY_SECONDS * 1000) },
  });
  return true;
}

/** How long the namespace keeps the histories of runs that have ended. */
export async function namespaceKeepsSeconds(connection: Connection, namespace: string): Promise<number> {
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  return Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0);
}
