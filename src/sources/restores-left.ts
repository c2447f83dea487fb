/** What the records of this host say of earlier restores of a component that are not yet forgotten. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readJson } from './durable.ts';
import { failureOf, isMissing } from './io-errors.ts';
import { asideOf } from './replacement.ts';

export interface RestoreLeft {
  readonly restoreId: string;
  /** `aside`: it was committed, and the old state is kept since then. `unfinished`: it may have left a copy beside. */
  readonly state: 'unfinished' | 'aside';
  readonly sinceMs: number;
  /** What is kept: a path, or `database a, b`. */
  readonly place?: string;
}

/** Named by a workflow's run; others are none of ours. */
export const RUN_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** RestoreNotes of a dump. */
const dumpRecord = z.object({
  format: z.literal(1),
  purpose: z.enum(['live', 'elsewhere', 'proof']),
  committed: z.boolean(),
  databases: z.array(z.object({ aside: z.string(), oldOid: z.number().nullable() })).default([]),
});
/** ReplacementRecord of what lives in the file system. */
const replacementRecord = z.object({ format: z.literal(1), work: z.string(), elsewhere: z.string().nullable() });

/**
 * Restores to another place are left out: what they made is the operator's. Times are of the host's own clock and file
 * systems. A record that is not understood is passed over.
 */
export async function restoresLeft(stateDirectory: string, component: string): Promise<RestoreLeft[]> {
  const directory = join(stateDirectory, 'restores');
  const left: RestoreLeft[] = [];
  for (const file of await namesIn(directory)) {
    const restoreId = file.slice(0, 36);
    if (!RUN_ID.test(restoreId) || file.slice(36) !== `-${component}.json`) continue;
    const path = join(directory, file);
    const state = await stateOf(path, restoreId, component);
    if (state !== undefined) left.push({ restoreId, ...state });
  }
  return left;
}

async function stateOf(
  path: string,
  restoreId: string,
  component: string,
): Promise<Omit<RestoreLeft, 'restoreId'> | undefined> {
  const record = await readJson(path);
  const dump = dumpRecord.safeParse(record);
  if (dump.success) {
    if (dump.data.purpose === 'elsewhere') return undefined;
    // Written when it was committed, and not since.
    const sinceMs = (await changedAt(path)) ?? Date.now();
    if (!dump.data.committed) return { state: 'unfinished', sinceMs };
    const old = dump.data.databases.filter(({ oldOid }) => oldOid !== null).map(({ aside }) => aside);
    return { state: 'aside', sinceMs, ...(old.length === 0 ? {} : { place: `database ${old.join(', ')}` }) };
  }
  const replacement = replacementRecord.safeParse(record);
  if (!replacement.success || replacement.data.elsewhere !== null) return undefined;
  // Its new name was its last change.
  const place = asideOf(replacement.data.work, `${restoreId}-${component}`);
  const asideMs = await changedAt(place);
  if (asideMs !== undefined) return { state: 'aside', sinceMs: asideMs, place };
  return { state: 'unfinished', sinceMs: (await changedAt(path)) ?? Date.now() };
}

async function changedAt(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).ctimeMs;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw failureOf(error, `look at ${path}`);
  }
}

/** None where there is no such directory. */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw failureOf(error, `read ${directory}`);
  }
}
