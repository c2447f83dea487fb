/** Checklists gone through, signed and shown. What is written goes to every store that can be reached, and to a file. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { checklistHtml, checklistMarkdown, OUTCOME_WORDS, seenText } from '../observe/checklist-report.ts';
import type { ChecklistReport, ReportPoint } from '../observe/checklist-report.ts';
import type { Colours } from '../observe/colours.ts';
import { tell } from '../observe/told.ts';
import { CHECKLISTS, type Checklist } from '../policy/checklist-lists.ts';
import { answersOf, outcomeOf, signedBy, type SignOff } from '../policy/checklists.ts';
import { checklistFacts } from '../status/checklist-facts.ts';
import { reportsDirectory } from '../system/home.ts';
import { nearest } from '../system/problems.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { System } from '../system/types.ts';
import { signerOf } from '../vault/envelope.ts';
import { withVault } from '../vault/maintained.ts';
import { newestReport, reportKeyOf, writeReport, writeSignature, type StoredReport } from '../vault/reports.ts';
import type { ChecklistOptions } from './checklist.ts';
import { whoAmI } from './names.ts';
import type { ExitCode, Shell } from './shell.ts';

/** Throws BadInput with the lists that there are. */
function listOf(name: string): Checklist {
  const found = CHECKLISTS.find((list) => list.name === name);
  if (found !== undefined) return found;
  const names = CHECKLISTS.map((list) => list.name);
  const guess = nearest(name, names);
  throw new HoldfastError('BadInput', `there is no checklist ${name}; there are ${names.join(', ')}`, {
    hint: guess === undefined ? 'Name one of them.' : `Did you mean ${guess}?`,
  });
}

export async function goThrough(
  shell: Shell,
  system: System,
  name: string,
  options: ChecklistOptions,
): Promise<ExitCode> {
  const list = listOf(name);
  const nowMs = Date.now();
  const answers = answersOf(list, await checklistFacts(system, nowMs));
  const at = new Date(nowMs).toISOString();
  const by = options.by ?? (await whoAmI());
  const report: ChecklistReport = {
    system: system.name,
    title: list.title,
    at,
    by,
    outcome: outcomeOf(answers),
    points: answers,
  };
  const key = reportKeyOf(name, nowMs, JSON.stringify(answers));
  const signer = signerOf(await resolveSecret(system.keys.keeper ?? system.keys.signer));
  const kept = await inStores(system, async ({ store, vaultId }) => {
    const body = {
      key,
      list: name,
      at,
      by,
      answers: answers.map(({ id, text, state, evidence, todo }) => ({
        id,
        text,
        state,
        evidence,
        ...(todo === undefined ? {} : { todo }),
      })),
    };
    await writeReport(store, { vaultId, signer }, body);
  });
  const file = await writeFiles(system.name, key, report);
  return told(shell, report, { key, file, ...kept }, options);
}

export async function sign(
  shell: Shell,
  system: System,
  name: string,
  options: ChecklistOptions & { readonly sign: string },
): Promise<ExitCode> {
  const list = listOf(name);
  const stored = await newestOf(system, name);
  if (stored === undefined) throw noReport(system, name);
  const point = stored.body.answers.find(({ id }) => id === options.sign);
  if (point?.state !== 'open') {
    const open = stored.body.answers.filter(({ state }) => state === 'open').map(({ id }) => id);
    throw new HoldfastError('BadInput', `${options.sign} is no point that a person signs for: ${open.join(', ')}`, {
      hint:
        point === undefined
          ? 'Name one of these.'
          : 'The program has answered it; mend what it found, and go through the list again.',
    });
  }
  const at = new Date().toISOString();
  const by = options.by ?? (await whoAmI());
  const signer = signerOf(await resolveSecret(system.keys.keeper ?? system.keys.signer));
  const given = {
    report: stored.body.key,
    point: point.id,
    by,
    at,
    ...(options.note === undefined ? {} : { note: options.note }),
  };
  const kept = await inStores(system, async ({ store, vaultId }) => {
    await writeSignature(store, { vaultId, signer }, given);
  });
  const report = reportOf(system, list, stored, [...stored.signatures, given]);
  const file = await writeFiles(system.name, stored.body.key, report);
  return told(shell, report, { key: stored.body.key, file, ...kept }, options);
}

export async function show(shell: Shell, system: System, name: string, options: ChecklistOptions): Promise<ExitCode> {
  const list = listOf(name);
  const stored = await newestOf(system, name);
  if (stored === undefined) throw noReport(system, name);
  const report = reportOf(system, list, stored, stored.signatures);
  return told(shell, report, { key: stored.body.key, unread: [] }, options);
}

export async function overview(shell: Shell, system: System): Promise<ExitCode> {
  const lists = await Promise.all(
    CHECKLISTS.map(async (list) => {
      const stored = await newestOf(system, list.name);
      const last = stored === undefined ? undefined : reportOf(system, list, stored, stored.signatures);
      return {
        list: list.name,
        title: list.title,
        ...(last === undefined ? {} : { at: last.at, outcome: last.outcome }),
      };
    }),
  );
  shell.result({ system: system.name, lists }, (colours) =>
    lists
      .map(({ list, title, at, outcome }) => {
        const last =
          at === undefined || outcome === undefined ? 'never gone through' : `${at}: ${OUTCOME_WORDS[outcome]}`;
        return `${colours.bold(list)}  ${title}; ${last}`;
      })
      .join('\n'),
  );
  return 0;
}

function noReport(system: System, name: string): HoldfastError {
  return new HoldfastError('BadInput', `${system.name} has no report of ${name} yet`, {
    hint: `Go through it: holdfast checklist ${system.name} ${name}`,
  });
}

function reportOf(
  system: System,
  list: Checklist,
  { body }: StoredReport,
  signed: readonly SignOff[],
): ChecklistReport {
  const points = signedBy(body.answers, list, signed);
  return { system: system.name, title: list.title, at: body.at, by: body.by, outcome: outcomeOf(points), points };
}

interface Kept {
  readonly stores?: readonly string[];
  readonly unread: readonly { readonly store: string; readonly message: string }[];
}

type Place = Parameters<Parameters<typeof withVault>[2]>[0];

/** Throws what kept it from all of them. */
async function inStores(system: System, write: (place: Place) => Promise<void>): Promise<Kept> {
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
async function newestOf(system: System, name: string): Promise<StoredReport | undefined> {
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
async function writeFiles(system: string, key: string, report: ChecklistReport): Promise<string> {
  const [, list = '', run = ''] = key.split('/');
  const directory = path.join(reportsDirectory(system), 'checklists');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = path.join(directory, `${list}-${run}`);
  await writeFile(`${file}.md`, checklistMarkdown(report), { mode: 0o600 });
  await writeFile(`${file}.html`, checklistHtml(report), { mode: 0o600 });
  await writeFile(`${file}.json`, `${JSON.stringify(report, undefined, 2)}\n`, { mode: 0o600 });
  return `${file}.md`;
}

function told(
  shell: Shell,
  report: ChecklistReport,
  kept: Kept & { readonly key: string; readonly file?: string },
  { format = 'text' }: ChecklistOptions,
): ExitCode {
  shell.result({ ...report, ...kept }, (colours) => {
    if (format === 'markdown') return checklistMarkdown(report);
    return format === 'html' ? checklistHtml(report) : text(report, kept.file, colours);
  });
  for (const { store, message } of kept.unread) shell.say(`the store ${store} did not get it: ${message}`);
  if (report.outcome === 'unknown') return 2;
  return report.outcome === 'complete' ? 0 : 1;
}

function text(report: ChecklistReport, file: string | undefined, colours: Colours): string {
  const words: Readonly<Record<ReportPoint['state'], string>> = {
    pass: colours.green('yes   '),
    signed: colours.green('signed'),
    fail: colours.red('no    '),
    unknown: colours.yellow('?     '),
    open: colours.yellow('open  '),
  };
  const lines = report.points.flatMap((point) => [
    `${words[point.state]} ${point.text}: ${seenText(point)}`,
    ...(point.todo === undefined
      ? []
      : [`       ${point.state === 'open' ? `${colours.dim(point.id)}: ` : ''}${point.todo}`]),
  ]);
  return [
    `${colours.bold(report.title)} of ${report.system}: ${OUTCOME_WORDS[report.outcome]}`,
    ...lines,
    ...(file === undefined ? [] : [colours.dim(`report: ${file}`)]),
  ].join('\n');
}
