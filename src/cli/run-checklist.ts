/** Checklists gone through, signed and shown. What is written goes to every store that can be reached, and to a file. */
import { HoldfastError } from '../failures.ts';
import { checklistHtml, checklistMarkdown, OUTCOME_WORDS, seenText } from '../observe/checklist-report.ts';
import type { ChecklistReport, ReportPoint } from '../observe/checklist-report.ts';
import type { Colours } from '../observe/colours.ts';
import { CHECKLISTS, type Checklist } from '../policy/checklist-lists.ts';
import { outcomeOf, signedBy, type SignOff } from '../policy/checklists.ts';
import { goThroughList, inStores, listOf, newestOf, writeFiles, type Kept } from '../status/checklist-run.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { System } from '../system/types.ts';
import { signerOf } from '../vault/envelope.ts';
import { writeSignature, type StoredReport } from '../vault/reports.ts';
import type { ChecklistResult } from '../workflows/contract.ts';
import type { ChecklistOptions } from './checklist.ts';
import { whoAmI } from './names.ts';
import type { ExitCode, Shell } from './shell.ts';

export async function goThrough(
  shell: Shell,
  system: System,
  name: string,
  options: ChecklistOptions,
): Promise<ExitCode> {
  const { report, ...kept } = await goThroughList(system, name, options.by ?? (await whoAmI()));
  return told(shell, report, kept, options);
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
  return exitCodeOf(report.outcome);
}

/** Of a run in the engine, whose report lies in the stores. */
export function showChecklistResult(shell: Shell, result: ChecklistResult): ExitCode {
  shell.result(result, () => `${result.list}: ${OUTCOME_WORDS[result.outcome]}; report: ${result.report}`);
  return exitCodeOf(result.outcome);
}

function exitCodeOf(outcome: ChecklistResult['outcome']): ExitCode {
  if (outcome === 'unknown') return 2;
  return outcome === 'complete' ? 0 : 1;
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
