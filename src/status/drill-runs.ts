/** Drills that were made: kept in every store that can be reached, signed, and as files under the system's reports. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { drillHtml, drillMarkdown } from '../observe/drill-report.ts';
import { reportsDirectory } from '../system/home.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { System } from '../system/types.ts';
import { drillReportKey, readDrillReports, writeDrillReport, type StoredDrill } from '../vault/drill-reports.ts';
import { signerOf } from '../vault/envelope.ts';
import { readingVault } from '../vault/maintained.ts';
import type { DrillReport } from '../workflows/drill-contract.ts';
import { answeredInTime, STORE_LIMIT_MS, storeQuestion } from './asked-once.ts';
import { inStores } from './checklist-run.ts';
import { askStores, type UnreadStore } from './store-answers.ts';

/** What is looked at of each store: a weekly drill of two years. */
const MOST = 120;
/** A report never changes: who looks every minute reads each once. */
const MEMORY = new Map<string, StoredDrill>();
/** By who looks every minute. */
const SEEN_MOST = 24;

/**
 * Of all stores that can be read, newest first. Throws what kept it from all of them. `unread`: stores that could not be read a
 * moment ago, and are not asked again.
 */
export async function drillHistory(
  system: System,
  most = MOST,
  unread: readonly UnreadStore[] = [],
): Promise<StoredDrill[]> {
  const found = new Map<string, StoredDrill>();
  const asked = system.stores.filter(({ name }) => !unread.some(({ store }) => store === name));
  const { answers, failures } = await askStores(asked, (config) =>
    answeredInTime(storeQuestion(system, config), STORE_LIMIT_MS, () =>
      readingVault(system, config, (place) => readDrillReports(place.store, place, most, MEMORY)),
    ),
  );
  for (const { value } of answers) for (const report of value) found.set(report.drillId, report);
  if (answers.length === 0 && failures.length > 0) throw failures[0];
  return [...found.values()].toSorted((a, b) => Date.parse(b.startedAt) - Date.parse(a.startedAt)).slice(0, most);
}

/** Newest of each kind that the system file declares, for who looks often: none declared, nothing is read. */
export async function drillsSeen(
  system: System,
  unread: readonly UnreadStore[] = [],
): Promise<{ reports: StoredDrill[]; unread: boolean }> {
  if (system.drills.length === 0) return { reports: [], unread: false };
  if (unread.length === system.stores.length) return { reports: [], unread: true };
  try {
    return { reports: await drillHistory(system, SEEN_MOST, unread), unread: false };
  } catch {
    // That a store can't be read is told by who looks at the stores.
    return { reports: [], unread: true };
  }
}

/** Written into every store that can be reached, and as files. Throws when no store could take it. A repeat is harmless. */
export async function keepDrillReport(system: System, report: DrillReport): Promise<{ key: string; unread: string[] }> {
  const signer = signerOf(await resolveSecret(system.keys.keeper ?? system.keys.signer));
  const own = storable(report);
  const { unread } = await inStores(system, async ({ store, vaultId }) => {
    await writeDrillReport(store, { vaultId, signer }, own);
  });
  await writeDrillFiles(report);
  return { key: drillReportKey(report), unread: unread.map(({ store, message }) => `${store}: ${message}`) };
}

/** A report is a record of a fixed shape; what a workflow adds some day is not in it by chance. */
function storable(report: DrillReport): StoredDrill {
  return JSON.parse(JSON.stringify(report)) as StoredDrill;
}

/** The report as Markdown, HTML and JSON under the system's reports; the name of the first. */
async function writeDrillFiles(report: DrillReport): Promise<string> {
  const directory = path.join(reportsDirectory(report.system), 'drills');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const [, , run = ''] = drillReportKey(report).split('/');
  const file = path.join(directory, `${report.kind}-${run}`);
  await writeFile(`${file}.md`, drillMarkdown(report), { mode: 0o600 });
  await writeFile(`${file}.html`, drillHtml(report), { mode: 0o600 });
  await writeFile(`${file}.json`, `${JSON.stringify(report, undefined, 2)}\n`, { mode: 0o600 });
  return `${file}.md`;
}
