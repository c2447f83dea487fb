/** What has to happen so that the engine runs what the file declares, and nothing that it no longer does. Pure. */
import { canonicalJson } from './canonical.ts';
import type { ScheduleSpec } from './due-times.ts';
import type { EngineSchedule } from './schedule-facts.ts';
import { secondsText, type DeclaredSchedule } from './schedules.ts';

/** What every schedule of ours has beside its times and what it starts. */
export interface ScheduleFrame {
  readonly workflowType: string;
  readonly taskQueue: string;
  workflowIdBase(declared: DeclaredSchedule): string;
}

export interface FieldChange {
  readonly field: 'times' | 'jitter' | 'catch-up' | 'overlap' | 'starts' | 'limits' | 'paused';
  readonly from: string;
  readonly to: string;
}

export type ScheduleChange =
  | { readonly do: 'create'; readonly declared: DeclaredSchedule }
  | { readonly do: 'change'; readonly declared: DeclaredSchedule; readonly changes: readonly FieldChange[] }
  | { readonly do: 'keep'; readonly declared: DeclaredSchedule }
  | { readonly do: 'remove'; readonly id: string };

/** The note of a pause that the file asks for; any other note is a person's. */
const PAUSED_BY_FILE = 'paused by the system file';

/** Declared ones in their order, then those to remove. `existing`: all schedules of ours that belong to the system. */
export function diffSchedules(
  declared: readonly DeclaredSchedule[],
  existing: readonly EngineSchedule[],
  frame: ScheduleFrame,
): ScheduleChange[] {
  const there = new Map(existing.map((one) => [one.id, one]));
  const wanted = new Set(declared.map(({ id }) => id));
  const kept = declared.map((one): ScheduleChange => {
    const now = there.get(one.id);
    if (now === undefined) return { do: 'create', declared: one };
    const changes = fieldChanges(one, now, frame);
    return changes.length === 0 ? { do: 'keep', declared: one } : { do: 'change', declared: one, changes };
  });
  const gone = existing.filter(({ id }) => !wanted.has(id)).map(({ id }): ScheduleChange => ({ do: 'remove', id }));
  return [...kept, ...gone];
}

function fieldChanges(declared: DeclaredSchedule, now: EngineSchedule, frame: ScheduleFrame): FieldChange[] {
  const changes: FieldChange[] = [];
  const compare = (field: FieldChange['field'], from: string, to: string): void => {
    if (from !== to) changes.push({ field, from, to });
  };
  compare('times', specText(now.spec), specText(declared.spec));
  compare('jitter', secondsText(now.jitterSeconds), secondsText(declared.jitterSeconds));
  compare('catch-up', secondsText(now.catchUpSeconds), secondsText(declared.catchUpSeconds));
  compare('overlap', overlapText(now), 'SKIP');
  const starts = { type: frame.workflowType, queue: frame.taskQueue, id: frame.workflowIdBase(declared) };
  compare(
    'starts',
    canonicalJson({ type: now.workflowType, queue: now.taskQueue, id: now.workflowIdBase, input: now.start }),
    canonicalJson({ ...starts, input: declared.start }),
  );
  compare('limits', now.remaining === undefined ? 'none' : `${now.remaining} more runs`, 'none');
  const paused = pausedAfter(declared, now);
  compare('paused', String(now.paused), String(paused.paused));
  return changes;
}

function overlapText({ overlap, pauseOnFailure }: EngineSchedule): string {
  return pauseOnFailure ? `${overlap}, paused when a run fails` : overlap;
}

/** A pause made by hand stays, and so does the word of whoever made it; one that the file asks for follows the file. */
export function pausedAfter(
  declared: Pick<DeclaredSchedule, 'paused'>,
  now: Pick<EngineSchedule, 'paused' | 'note'> | undefined,
): { readonly paused: boolean; readonly note: string } {
  if (isPausedByHand(now)) return { paused: true, note: now?.note ?? '' };
  if (declared.paused) return { paused: true, note: PAUSED_BY_FILE };
  return { paused: false, note: now?.note === PAUSED_BY_FILE ? '' : (now?.note ?? '') };
}

export function isPausedByHand(now: Pick<EngineSchedule, 'paused' | 'note'> | undefined): boolean {
  return now?.paused === true && now.note !== PAUSED_BY_FILE;
}

/** The same text for the same times, also when a person has written them otherwise. */
export function specText(spec: ScheduleSpec | undefined): string {
  if (spec === undefined) return 'something that was set by hand';
  if (spec.kind === 'interval') {
    const offset = spec.offsetSeconds === 0 ? '' : ` + ${secondsText(spec.offsetSeconds)}`;
    return `every ${secondsText(spec.everySeconds)}${offset}`;
  }
  const calendars = spec.calendars.map(({ minutes, hours, daysOfMonth, months, daysOfWeek }) =>
    [
      numbers(minutes, 60),
      numbers(hours, 24),
      numbers(daysOfMonth, 31),
      numbers(months, 12),
      numbers(daysOfWeek, 7),
    ].join(' '),
  );
  return `${calendars.toSorted().join(' or ')} ${spec.timeZone}`;
}

/** `*`, or the values with runs of them joined: `1-5,7`. */
function numbers(values: readonly number[], count: number): string {
  const sorted = [...new Set(values)].toSorted((a, b) => a - b);
  if (sorted.length === count) return '*';
  const parts: [number, number][] = [];
  for (const value of sorted) {
    const last = parts.at(-1);
    if (last?.[1] === value - 1) last[1] = value;
    else parts.push([value, value]);
  }
  return parts
    .map(([from, to]) => (from === to ? String(from) : to === from + 1 ? `${from},${to}` : `${from}-${to}`))
    .join(',');
}
