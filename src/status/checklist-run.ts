/** Checklists gone through and kept: in every store that can be reached, and as files under the system's reports. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { checklistHtml, checklistMarkdown, type ChecklistReport } from '../observe/checklist-report.ts';
import { tell } from '../observe/told.ts';
import { CHECKLISTS, type Checklist } from '../policy/checklist-lists.ts';
import { answersOf, outcomeOf } from '../policy/checklists.ts';
import { reportsDirectory } from '../system/home.ts';
import { nearest } from '../system/problems.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { System } from '../system/types.ts';
import { signerOf } from '../vault/envelope.ts';
import { withVault } from '../vault/maintained.ts';
import { newestReport, reportKeyOf, writeReport, type StoredReport } from '../vault/reports.ts';
import { checklistFacts } from './checklist-facts.ts';

/** Throws BadInput with the lists that there are. */
export function listOf(name: string): Checklist {
  const found = CHECKLISTS.find((list) => list.name === name);
  if (found !== undefined) return found;
  const names = CHECKLISTS.map((list) => list.name);
  const guess = nearest(name, names);
  throw new HoldfastError('BadInput', `there is no checklist ${name}; there are ${names.join(', ')}`, {
    hint: guess === undefined ? 'Name one of them.' : `Did you mean ${guess}?`,
  });
}

export interface GoneThrough extends Kept {
  readonly report: ChecklistReport;
  readonly key: string;
  readonly file: string;
}

/** Answers what the program can see, and keeps the report. Throws when no store could take it. */
export async function goThroughList(system: System, name: string, by: string): Promise<GoneThrough> {
  const list = listOf(name);
  const nowMs = Date.now();
  const points = answersOf(list, await checklistFacts(system, nowMs));
  const at = new Date(nowMs).toISOString();
  const report = { system: system.name, title: list.title, at, by, outcome: outcomeOf(points), points };
  const key = reportKeyOf(name, nowMs, JSON.stringify(points));
  const signer = signerOf(await resolveSecret(system.keys.keeper ?? system.keys.signer));
  const answers = points.map(({ id, text, state, evidence, todo }) => {
    return { id, text, state, evidence, ...(todo === undefined ? {} : { todo }) };
  });
  const kept = await inStores(system, ({ store, vaultId }) =>
    writeReport(store, { vaultId, signer }, { key, list: name, at, by, answers }),
  );
  return { report, key, file: await writeFiles(system.name, key, report), ...kept };
}

export interface Kept {
  readonly stores?: readonly string[];
  readonly unread: readonly { readonly store: string; readonly message: string }[];
}

type Place = Parameters<Parameters<typeof withVault>[2]>[0];

/** Throws what kept it from all of them. */
export async function inStores(system: System, write: (place: Place) => Promise<void>): Promise<Kept> {
  const stores: string[] = [];
  const unread: { store: string; message: string }[] = [];
  let failure: Error | undefined;
  for (const config of system.stores) {
    try {
      await withVault(system, config, write);
      stores.push(config.name);
    } catch (error) {
      failure ??= error instanceof Error ? error : new Error(String(error));
      unread.push({ store: config.name, message: tell(error).message });
    }
  }
  if (stores.length === 0) throw failure ?? new HoldfastError('BadInput', `${system.name} has no stores`);
  return { stores, unread };
}

/** Of all stores that can be read; signatures may lie in one alone, that the others missed. */
export async function newestOf(system: System, name: string): Promise<StoredReport | undefined> {
  const found: StoredReport[] = [];
  let failure: Error | undefined;
  for (const config of system.stores) {
    try {
      const one = await withVault(system, config, (place) => newestReport(place.store, place, name));
      if (one !== undefined) found.push(one);
    } catch (error) {
      failure ??= error instanceof Error ? error : new Error(String(error));
    }
  }
  if (found.length === 0 && failure !== undefined) throw failure;
  const newest = found.toSorted((a, b) => Date.parse(a.body.at) - Date.parse(b.body.at)).at(-1);
  if (newest === undefined) return undefined;
  const same = found.filter(({ body }) => body.key === newest.body.key).flatMap(({ signatures }) => signatures);
  return { body: newest.body, signatures: [...new Map(same.map((one) => [one.key, one])).values()] };
}

/** The report as Markdown, HTML and JSON under the system's reports; the name of the first. */
export async function writeFiles(system: string, key: string, report: ChecklistReport): Promise<string> {
  const [, list = '', run = ''] = key.split('/');
  const directory = path.join(reportsDirectory(system), 'checklists');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = path.join(directory, `${list}-${run}`);
  await writeFile(`${file}.md`, checklistMarkdown(report), { mode: 0o600 });
  await writeFile(`${file}.html`, checklistHtml(report), { mode: 0o600 });
  await writeFile(`${file}.json`, `${JSON.stringify(report, undefined, 2)}\n`, { mode: 0o600 });
  return `${file}.md`;
}
