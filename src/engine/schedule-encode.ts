/** Schedules from this program's words to Temporal's, and back. */
import type {
  CalendarSpec,
  CalendarSpecDescription,
  ScheduleDescription,
  ScheduleOptions,
  ScheduleOptionsStartWorkflowAction,
  ScheduleSpec as TemporalSpec,
  ScheduleUpdateOptions,
} from '@temporalio/client';
import type { Workflow } from '@temporalio/common';
import type { Calendar } from '../policy/cron.ts';
import type { ScheduleSpec } from '../policy/due-times.ts';
import { pausedAfter, type ScheduleFrame } from '../policy/schedule-diff.ts';
import type { DescribedSchedule, EngineSchedule } from '../policy/schedule-facts.ts';
import { partsOfScheduleId, scheduledRunId, type DeclaredSchedule } from '../policy/schedules.ts';
import { ORCHESTRATION_QUEUE } from '../task-queues.ts';
import { WORKFLOWS } from '../workflows/contract.ts';

type Action = ScheduleOptionsStartWorkflowAction<Workflow>;

export const FRAME: ScheduleFrame = {
  workflowType: WORKFLOWS.scheduled,
  taskQueue: ORCHESTRATION_QUEUE,
  workflowIdBase: ({ system, name }) => scheduledRunId(system, name),
};

const MONTHS = [
  ...(['JANUARY', 'FEBRUARY', 'MARCH', 'APRIL', 'MAY', 'JUNE'] as const),
  ...(['JULY', 'AUGUST', 'SEPTEMBER', 'OCTOBER', 'NOVEMBER', 'DECEMBER'] as const),
];
const DAYS = ['SUNDAY', 'MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY'] as const;

/** Ours are known by it, whatever else has such an id. */
const MARK = 'holdfast';

export interface ScheduleMark {
  /** Which installation has applied it. */
  readonly by: string;
}

export function markOf(memo: Readonly<Record<string, unknown>> | undefined): ScheduleMark | undefined {
  const mark = memo?.[MARK];
  if (typeof mark !== 'object' || mark === null || !('by' in mark)) return undefined;
  return { by: String(mark.by) };
}

export function optionsOf(declared: DeclaredSchedule, mark: ScheduleMark): ScheduleOptions<Action> {
  return { scheduleId: declared.id, memo: { [MARK]: { ...mark } }, ...updateOf(declared, undefined) };
}

/** `now`: a pause that a person made there stays. */
export function updateOf(declared: DeclaredSchedule, now: EngineSchedule | undefined): ScheduleUpdateOptions<Action> {
  const { paused, note } = pausedAfter(declared, now);
  const spec = temporalSpec(declared.spec, declared.written);
  return {
    spec: { ...spec, ...(declared.jitterSeconds === 0 ? {} : { jitter: declared.jitterSeconds * 1000 }) },
    action: {
      type: 'startWorkflow',
      workflowType: FRAME.workflowType,
      workflowId: FRAME.workflowIdBase(declared),
      taskQueue: FRAME.taskQueue,
      args: [declared.start],
      staticSummary: `${declared.system}: ${declared.what}`,
    },
    policies: { overlap: 'SKIP', catchupWindow: declared.catchUpSeconds * 1000, pauseOnFailure: false },
    state: { paused, ...(note === '' ? {} : { note }) },
  };
}

function temporalSpec(spec: ScheduleSpec, comment: string): TemporalSpec {
  if (spec.kind === 'interval') {
    return { intervals: [{ every: spec.everySeconds * 1000, offset: spec.offsetSeconds * 1000 }] };
  }
  return { calendars: spec.calendars.map((one) => temporalCalendar(one, comment)), timezone: spec.timeZone };
}

function temporalCalendar(calendar: Calendar, comment: string): CalendarSpec {
  return {
    second: 0,
    minute: ranges(calendar.minutes, (minute) => minute),
    hour: ranges(calendar.hours, (hour) => hour),
    dayOfMonth: ranges(calendar.daysOfMonth, (day) => day),
    month: ranges(calendar.months, (month) => MONTHS[month - 1]),
    dayOfWeek: ranges(calendar.daysOfWeek, (day) => DAYS[day]),
    comment,
  };
}

/** Neighbours as one range, so that the UI shows `1-31` and not every day. */
function ranges<Unit>(numbers: readonly number[], unitOf: (value: number) => Unit | undefined): Range<Unit>[] {
  const found: [number, number][] = [];
  for (const value of numbers) {
    const last = found.at(-1);
    if (last?.[1] === value - 1) last[1] = value;
    else found.push([value, value]);
  }
  return found.flatMap(([from, to]) => {
    const [start, end] = [unitOf(from), unitOf(to)];
    return start === undefined || end === undefined ? [] : [{ start, end, step: 1 }];
  });
}

/** Undefined for a schedule whose id is not of our making. */
export function describedOf(from: ScheduleDescription): DescribedSchedule | undefined {
  const parts = partsOfScheduleId(from.scheduleId);
  if (parts === undefined) return undefined;
  const { action, policies, state, info } = from;
  return {
    id: from.scheduleId,
    ...parts,
    spec: specFrom(from.spec),
    jitterSeconds: (from.spec.jitter ?? 0) / 1000,
    catchUpSeconds: policies.catchupWindow / 1000,
    overlap: policies.overlap ?? 'unspecified',
    pauseOnFailure: policies.pauseOnFailure,
    workflowType: action.workflowType,
    workflowIdBase: action.workflowId,
    taskQueue: action.taskQueue,
    start: action.args?.[0],
    ...(state.remainingActions === undefined ? {} : { remaining: state.remainingActions }),
    paused: state.paused,
    ...(state.note === undefined || state.note === '' ? {} : { note: state.note }),
    nextMs: info.nextActionTimes.map((at) => at.getTime()),
    recent: info.recentActions.map(({ scheduledAt, takenAt, action: { workflow } }) => ({
      dueAtMs: scheduledAt.getTime(),
      startedAtMs: takenAt.getTime(),
      workflowId: workflow.workflowId,
      runId: workflow.firstExecutionRunId,
    })),
    running: info.runningActions.map(({ workflow }) => ({
      workflowId: workflow.workflowId,
      runId: workflow.firstExecutionRunId,
    })),
    createdAtMs: info.createdAt.getTime(),
    ...(info.lastUpdatedAt === undefined ? {} : { updatedAtMs: info.lastUpdatedAt.getTime() }),
    taken: info.numActionsTaken,
    missed: info.numActionsMissedCatchupWindow,
    skipped: info.numActionsSkippedOverlap,
  };
}

interface Range<Unit> {
  readonly start: Unit;
  readonly end: Unit;
  readonly step: number;
}

type DescribedSpec = ScheduleDescription['spec'];

/** Undefined for what no system file can say: seconds, years, exclusions, a beginning or an end, several kinds at once. */
function specFrom(spec: DescribedSpec): ScheduleSpec | undefined {
  const { calendars = [], intervals = [], skip = [], startAt, endAt, timezone } = spec;
  if (skip.length > 0 || startAt !== undefined || endAt !== undefined) return undefined;
  const [interval, ...more] = intervals;
  if (interval !== undefined) {
    if (more.length > 0 || calendars.length > 0) return undefined;
    // A missing offset is decoded as none at all.
    const { every, offset } = interval as { readonly every: number; readonly offset?: number };
    return { kind: 'interval', everySeconds: every / 1000, offsetSeconds: (offset ?? 0) / 1000 };
  }
  const known = calendars.map(calendarFrom);
  if (known.length === 0 || known.includes(undefined)) return undefined;
  const timeZone = timezone === undefined || timezone === '' ? 'UTC' : timezone;
  return { kind: 'calendars', calendars: known.filter((one) => one !== undefined), timeZone };
}

type Ranges<Unit> = readonly Range<Unit>[];

function calendarFrom(from: CalendarSpecDescription): Calendar | undefined {
  const { second, minute, hour, dayOfMonth, month, dayOfWeek, year } = from;
  const seconds = values(second, Number);
  if (seconds.length !== 1 || seconds[0] !== 0 || year.length > 0) return undefined;
  return {
    minutes: values(minute, Number),
    hours: values(hour, Number),
    daysOfMonth: values(dayOfMonth, Number),
    months: values(month, (name) => MONTHS.indexOf(name) + 1),
    daysOfWeek: values(dayOfWeek, (name) => DAYS.indexOf(name)),
  };
}

function values<Unit>(ranges: Ranges<Unit>, numberOf: (unit: Unit) => number): number[] {
  const found = new Set<number>();
  for (const { start, end, step } of ranges) {
    for (let value = numberOf(start); value <= numberOf(end); value += step) found.add(value);
  }
  return [...found].sort((a, b) => a - b);
}
