/** One drill through the engine, and the drills that were made, from the stores. */
import { randomUUID } from 'node:crypto';
import { connectEngine } from '../engine/connect.ts';
import { HoldfastError } from '../failures.ts';
import { drillHtml, drillMarkdown } from '../observe/drill-report.ts';
import { drillHistory } from '../status/drill-runs.ts';
import { parseDurationSeconds } from '../system/durations.ts';
import { loadSystem } from '../system/load.ts';
import { WORKFLOWS, workflowIds, type DrillInput, type DrillReport, type DrillResult } from '../workflows/contract.ts';
import { drillsTable, drillText, showDrillResult } from './drill-texts.ts';
import type { DrillOptions, DrillsOptions } from './drill.ts';
import { whoAmI } from './names.ts';
import { findOperation, follow, startOperation } from './operation.ts';
import type { ExitCode, Shell } from './shell.ts';

const DAY_SECONDS = 86_400;
const SHOWN = 20;

/** Throws BadInput for options that contradict each other. */
export async function drillInput(
  system: string,
  backup: string | undefined,
  options: DrillOptions,
): Promise<DrillInput> {
  const { kind, olderThan, plan, component, freshBackup, stack, dryRun } = options;
  const refuse = (what: string): never => {
    throw new HoldfastError('BadInput', what);
  };
  if (backup !== undefined && olderThan !== undefined) refuse('name a backup or --older-than, not both');
  if (backup !== undefined && freshBackup === true) refuse('name a backup or --fresh-backup, not both');
  if (olderThan !== undefined && freshBackup === true) refuse('--older-than and --fresh-backup exclude each other');
  const seconds = olderThan === undefined ? undefined : parseDurationSeconds(olderThan);
  if (olderThan !== undefined && seconds === undefined) refuse(`--older-than ${olderThan} is no duration: write 30d`);
  return {
    system,
    by: await whoAmI(),
    ...(kind === undefined ? {} : { kind }),
    ...(backup === undefined ? {} : { backup }),
    ...(plan === undefined ? {} : { plan }),
    ...(seconds === undefined ? {} : { olderThanDays: seconds / DAY_SECONDS }),
    ...(component === undefined ? {} : { components: component.join(',') }),
    ...(freshBackup === true ? { freshBackup: true } : {}),
    // Commander's default for a `--no-…` is true: only what was asked for is passed on.
    ...(stack === false ? { startStack: false } : {}),
    ...(dryRun === true ? { mode: 'plan' as const } : {}),
  };
}

export async function runDrill(
  shell: Shell,
  system: string,
  backup: string | undefined,
  options: DrillOptions,
): Promise<ExitCode> {
  await loadSystem(system);
  const input = await drillInput(system, backup, options);
  await using engine = await connectEngine();
  const usual = workflowIds.drill(system, input.kind ?? 'by-hand');
  // A look may run beside a drill.
  const workflowId = input.mode === 'plan' ? `${usual}/${randomUUID()}` : usual;
  const summary = `drill ${input.kind ?? 'by hand'} of ${system}`;
  const started = await startOperation(engine, shell, { type: WORKFLOWS.drill, workflowId, input, summary });
  if (started === undefined) shell.say('such a drill runs already; following that one');
  const handle = started ?? (await findOperation(engine, workflowId));
  const followed = await follow<DrillResult>(engine, shell, handle);
  return followed.state === 'left' ? 2 : showDrillResult(shell, followed.result);
}

export async function showDrills(shell: Shell, name: string, options: DrillsOptions): Promise<ExitCode> {
  const limit = options.limit === undefined ? SHOWN : Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) {
    throw new HoldfastError('BadInput', `--limit ${options.limit ?? ''} is no whole number of at least 1`);
  }
  const system = await loadSystem(name);
  const drills = await drillHistory(system);
  if (options.show !== undefined) return showOne(shell, name, drills, options.show, options.format);
  const shown = drills.slice(0, limit);
  shell.result({ system: name, drills: shown }, (colours) =>
    shown.length === 0 ? `no drills yet; make one: holdfast drill ${name}` : drillsTable(shown, colours, Date.now()),
  );
  return 0;
}

function showOne(
  shell: Shell,
  system: string,
  drills: readonly DrillReport[],
  wanted: string,
  format: DrillsOptions['format'],
): ExitCode {
  const found = wanted === 'latest' ? drills[0] : drills.find(({ drillId }) => drillId.startsWith(wanted));
  if (found === undefined) {
    throw new HoldfastError('BadInput', `${system} has no drill ${wanted}`, {
      hint: `See which there are: holdfast drills ${system}`,
    });
  }
  shell.result(found, (colours) => {
    if (format === 'markdown') return drillMarkdown(found);
    return format === 'html' ? drillHtml(found) : drillText(found, colours);
  });
  return 0;
}
