/** Schedules and what would change of them, for a terminal. */
import type { Colours } from '../observe/colours.ts';
import { formatAge } from '../observe/format.ts';
import { table } from '../observe/table.ts';
import type { FieldChange, ScheduleChange } from '../policy/schedule-diff.ts';
import { partsOfScheduleId, secondsText, type DeclaredSchedule, type ScheduleNote } from '../policy/schedules.ts';
import type { ScheduleState } from '../status/schedule-state.ts';

export interface SystemChanges {
  readonly system: string;
  readonly changes: readonly ScheduleChange[];
  /** What a person should know of what is declared. */
  readonly notes: readonly ScheduleNote[];
}

const MARKS = { create: '+', change: '~', remove: '-', keep: ' ' } as const;
const COLOUR = { create: 'green', change: 'yellow', remove: 'red', keep: 'dim' } as const;

export function changesText({ system, changes, notes }: SystemChanges, colours: Colours): string {
  const lines = changes
    .filter((change) => change.do !== 'keep')
    .flatMap((change) => [
      `  ${colours[COLOUR[change.do]](MARKS[change.do])} ${changeText(change)}`,
      ...(change.do === 'change' ? change.changes.map((one) => `      ${fieldText(one)}`) : []),
    ]);
  const kept = changes.filter((change) => change.do === 'keep').length;
  const same = kept === 0 ? [] : [`  ${colours.dim(`${kept} stay as they are`)}`];
  const told = notes.map(({ what, doThis }) => `  ${colours.yellow('note')} ${what}. ${doThis}`);
  return [colours.bold(system), ...lines, ...same, ...told].join('\n');
}

function changeText(change: Exclude<ScheduleChange, { do: 'keep' }>): string {
  if (change.do === 'remove') {
    return `${partsOfScheduleId(change.id)?.name ?? change.id}: declared no longer`;
  }
  return `${change.declared.name}: ${declaredText(change.declared)}`;
}

function declaredText({ what, written, jitterSeconds, catchUpSeconds, paused }: DeclaredSchedule): string {
  const jitter = jitterSeconds === 0 ? '' : `, up to ${secondsText(jitterSeconds)} later`;
  return `${what}, ${written}${jitter}, caught up for ${secondsText(catchUpSeconds)}${paused ? ', paused' : ''}`;
}

function fieldText({ field, from, to }: FieldChange): string {
  return `${field}: ${from} → ${to}`;
}

export function countsText(all: readonly SystemChanges[]): string {
  const changes = all.flatMap((one) => one.changes);
  const count = (kind: ScheduleChange['do']): number => changes.filter((change) => change.do === kind).length;
  return `${count('create')} to create, ${count('change')} to change, ${count('remove')} to remove, ${count('keep')} unchanged`;
}

/** One line a schedule: when it runs next, how the last run ended, what was left out. */
export function statesText(states: readonly ScheduleState[], colours: Colours, nowMs: number): string {
  const rows = states.map((state) => [
    state.name,
    state.written,
    nextText(state, colours),
    lastText(state, colours, nowMs),
    countText(state),
  ]);
  return table(['schedule', 'times', 'next', 'last', 'left out'], rows, colours);
}

function nextText({ paused, applied, nextAt }: ScheduleState, colours: Colours): string {
  if (!applied) return colours.red('not applied');
  if (paused !== undefined) return colours.yellow(`paused${paused.note === '' ? '' : `: ${paused.note}`}`);
  return nextAt ?? 'never';
}

function lastText({ last, running }: ScheduleState, colours: Colours, nowMs: number): string {
  if (running) return colours.cyan('runs');
  if (last === undefined) return '';
  const age = formatAge(Date.parse(last.dueAt), nowMs);
  const { outcome, why } = last;
  const text = `${outcome}${why === undefined ? '' : ` (${why})`}`;
  return `${outcome === 'failed' ? colours.red(text) : text}, ${age}`;
}

function countText({ skipped, missed }: ScheduleState): string {
  const parts = [
    ...(skipped === 0 ? [] : [`${skipped} skipped, the run before went on`]),
    ...(missed === 0 ? [] : [`${missed} missed`]),
  ];
  return parts.join('; ');
}
