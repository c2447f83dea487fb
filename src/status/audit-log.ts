/** A system's audit log as all its stores have it together, and whether it is whole. Needs no engine and no identity. */
import { judgeAuditLogs, type AuditJudged } from '../policy/audit-chain.ts';
import type { System } from '../system/types.ts';
import { readAuditLogs } from '../vault/audit/read.ts';
import { withVault } from '../vault/maintained.ts';
import { askStores, type UnreadStore } from './store-answers.ts';

export interface AuditLog extends AuditJudged {
  readonly system: string;
  /** Those that were read. */
  readonly stores: readonly string[];
  readonly unread: readonly UnreadStore[];
}

/** Throws what kept the first from being read when no store could be. */
export async function auditLog(system: System, nowMs: number): Promise<AuditLog> {
  const { answers, unread, failures } = await askStores(system.stores, (config) =>
    withVault(system, config, (from) => readAuditLogs(from, config.name)),
  );
  if (answers.length === 0) throw failures[0];
  const judged = judgeAuditLogs(
    answers.map(({ value }) => value),
    [],
    nowMs,
  );
  return { system: system.name, stores: answers.map(({ store }) => store), unread, ...judged };
}
