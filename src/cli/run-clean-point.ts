/** The search for a clean backup through the engine: started, followed, its verdicts told. */
import type { Engine } from '../engine/connect.ts';
import { HoldfastError } from '../failures.ts';
import type { Colours } from '../observe/colours.ts';
import { formatMilliseconds } from '../observe/format.ts';
import { table } from '../observe/table.ts';
import { durationSeconds } from '../system/durations.ts';
import { stateDirectory } from '../system/home.ts';
import { noteTyped } from '../system/typed.ts';
import { workflowIds, WORKFLOWS, type CleanPointInput, type CleanPointResult } from '../workflows/contract.ts';
import type { CleanPointOptions } from './clean-point.ts';
import { follow, startOperation } from './operation.ts';
import type { ExitCode, Shell } from './shell.ts';

/** Throws BadInput. */
export function cleanPointInput(system: string, options: CleanPointOptions): CleanPointInput {
  const { component = [], plan, store, backups, before, check, query, entropy, changes, bisect, limit } = options;
  if (backups !== undefined && !/^[1-9]\d*$/.test(backups)) throw refused(`--backups ${backups} is no whole number`);
  if (before !== undefined && Number.isNaN(Date.parse(before))) {
    throw refused(`--before ${before} is no time: write one such as 2026-03-01T02:00:00Z`);
  }
  if (limit !== undefined && !/^\d+(s|m|h|d)$/.test(limit))
    throw refused(`--limit ${limit}: write one such as 90m or 2h`);
  return {
    system,
    ...(component.length === 0 ? {} : { components: component.join(',') }),
    ...(plan === undefined ? {} : { plan }),
    ...(store === undefined ? {} : { store }),
    ...(backups === undefined ? {} : { backups: Number(backups) }),
    ...(before === undefined ? {} : { before: new Date(before).toISOString() }),
    ...(check === undefined ? {} : { command: check }),
    ...(query === undefined ? {} : { query }),
    // What is not said is as the system file has it.
    ...(entropy ? {} : { entropy }),
    ...(changes ? {} : { changes }),
    ...(bisect === true ? { bisect } : {}),
    ...(limit === undefined ? {} : { limitSeconds: durationSeconds(limit) }),
  };
}

function refused(what: string): HoldfastError {
  return new HoldfastError('BadInput', what);
}

export async function runCleanPoint(shell: Shell, engine: Engine, input: CleanPointInput): Promise<ExitCode> {
  const { system } = input;
  for (const typed of [input.command, input.query]) {
    if (typed !== undefined) noteTyped(stateDirectory(system), typed);
  }
  const workflowId = workflowIds.cleanPoint(system);
  const summary = `find the newest clean backup of ${system}`;
  const handle = await startOperation(engine, shell, { type: WORKFLOWS.cleanPoint, workflowId, input, summary });
  if (handle === undefined) {
    throw new HoldfastError('SystemBusy', `a clean backup of ${system} is being looked for already`, {
      hint: `Watch it with \`holdfast watch ${workflowId}\`.`,
    });
  }
  const followed = await follow<CleanPointResult>(engine, shell, handle);
  if (followed.state === 'left') return 2;
  return showCleanPoint(shell, followed.result);
}

/** 1 when none is clean. */
export function showCleanPoint(shell: Shell, result: CleanPointResult): ExitCode {
  shell.result(result, (colours) => cleanPointText(result, colours));
  return result.outcome === 'found' ? 0 : 1;
}

function cleanPointText(result: CleanPointResult, colours: Colours): string {
  const { backup, pointAt, verdicts, notLooked, restore } = result;
  const painted = { clean: colours.green, suspect: colours.yellow, bad: colours.red, unknown: colours.dim };
  return [
    backup === undefined
      ? `${colours.red('none')} of ${verdicts.length} backups is known to be clean`
      : `${colours.green('clean')} ${colours.bold(backup)} of ${pointAt ?? ''} is the newest that is known to be clean`,
    `  looked at ${result.components.join(', ')}`,
    '',
    ...verdicts.flatMap((one) => [
      `  ${one.backup}  ${one.pointAt}  ${painted[one.state](one.state)}`,
      ...indented(table(['', '', ''], reasonsOf(one), colours)),
    ]),
    '',
    ...notLooked.map((one) => `  ${colours.yellow('not looked at')} ${one.backup} of ${one.pointAt}: ${one.why}`),
    ...result.warnings.map((warning) => `  ${colours.yellow('warning')}   ${warning}`),
    `  took      ${formatMilliseconds(result.durationMs)}`,
    `  names     ${result.evidence} on ${result.host}`,
    ...(result.reportFile === undefined ? [] : [`  report    ${result.reportFile}`]),
    ...(restore === undefined ? [] : [`  restore   ${restore}`]),
  ].join('\n');
}

/** Component, by what, and what was seen: what made it so, below the backup. */
function reasonsOf({ state, checks }: CleanPointResult['verdicts'][number]): string[][] {
  const telling = checks.filter((check) => check.state === state && (state !== 'clean' || check.name !== 'restored'));
  const shown = telling.length > 0 ? telling : checks;
  return shown.map(({ component, name, detail }) => [component, name, detail]);
}

/** Without the line of heads, which would stand over every backup. */
function indented(text: string): string[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => `      ${line}`);
}
