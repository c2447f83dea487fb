/** What a person approves before rows are put back: the digest of the preview. */
import { createHash } from 'node:crypto';
import type { RowsPlan } from '../workflows/rows-contract.ts';
import { canonicalJson } from './canonical.ts';

/** Without numbers of rows that nothing happens to: others go on writing while a person reads. */
export function rowsDigest(system: string, plan: Omit<RowsPlan, 'digest'>): string {
  const {
    component,
    backup,
    manifestKey,
    store,
    recoverTo,
    database,
    where,
    onChanged,
    tables,
    affectedSha256,
    valid,
    merged,
  } = plan;
  const digested = {
    format: 1,
    system,
    component,
    backup,
    manifestKey,
    store,
    recoverTo,
    database,
    where,
    onChanged,
    valid,
    merged: merged?.map(({ backup: source, table, taken }) => ({ backup: source, table, taken })),
    affectedSha256,
    tables: tables.map(({ table, matchedBy, key, missing, changed, conflicts }) => ({
      table,
      matchedBy,
      key,
      missing,
      ...(onChanged === 'restore' ? { changed } : {}),
      conflicts: conflicts.map(({ kind, constraint, rows }) => ({ kind, constraint, rows })),
    })),
  };
  return createHash('sha256').update(canonicalJson(digested)).digest('hex');
}
