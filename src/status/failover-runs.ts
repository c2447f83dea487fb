/** Failovers that were made: kept in every store that can be reached, signed, and as files under the system's reports. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { tell } from '../observe/told.ts';
import { reportsDirectory } from '../system/home.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { System } from '../system/types.ts';
import { signerOf } from '../vault/envelope.ts';
import {
  failoverReportKey,
  readFailoverReports,
  writeFailoverReport,
  type StoredFailover,
} from '../vault/failover-reports.ts';
import { readingVault } from '../vault/maintained.ts';
import type { FailoverReport } from '../workflows/failover-contract.ts';
import { inStores } from './checklist-run.ts';

/** Throws when no store could take it. A repeat is harmless. */
export async function keepFailoverReport(
  system: System,
  report: FailoverReport,
): Promise<{ key: string; unread: string[] }> {
  const signer = signerOf(await resolveSecret(system.keys.keeper ?? system.keys.signer));
  const own = JSON.parse(JSON.stringify(report)) as StoredFailover;
  const { unread } = await inStores(system, async ({ store, vaultId }) => {
    await writeFailoverReport(store, { vaultId, signer }, own);
  });
  const directory = path.join(reportsDirectory(report.system), 'failovers');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const [, , run = ''] = failoverReportKey(report).split('/');
  await writeFile(path.join(directory, `${run}.json`), `${JSON.stringify(report, undefined, 2)}\n`, { mode: 0o600 });
  return { key: failoverReportKey(report), unread: unread.map(({ store, message }) => `${store}: ${message}`) };
}

/** Of all stores that can be read, newest first. Throws what kept it from all of them. */
export async function failoverHistory(
  system: System,
  most: number,
): Promise<{ reports: StoredFailover[]; unread: string[] }> {
  const found = new Map<string, StoredFailover>();
  const unread: string[] = [];
  let trouble: unknown;
  for (const config of system.stores) {
    try {
      const read = await readingVault(system, config, (place) => readFailoverReports(place.store, place, most));
      for (const report of read) found.set(report.failoverId, report);
    } catch (error) {
      trouble ??= error;
      unread.push(`${config.name}: ${tell(error).message}`);
    }
  }
  if (unread.length === system.stores.length) throw trouble;
  const reports = [...found.values()].toSorted((a, b) => Date.parse(b.startedAt) - Date.parse(a.startedAt));
  return { reports: reports.slice(0, most), unread };
}
