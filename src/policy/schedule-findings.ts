/**
 * What is wrong with the schedules of a system: not applied, paused by hand, runs left out. Pure: the facts are those of
 * the engine (`describeSchedules` in src/engine/schedules.ts). How a run ended is not judged here.
 */
import { nextRuns } from './due-times.ts';
import type { Finding, Severity } from './findings.ts';
import { diffSchedules, isPausedByHand, type ScheduleFrame } from './schedule-diff.ts';
import type { DescribedSchedule } from './schedule-facts.ts';
import { declaredSchedules, type DeclaredSchedule } from './schedules.ts';
import type { System } from '../system/types.ts';

/** The engine may be busy, or have just been started: a run that is only late is not missed. */
const GRACE_MS = 120_000;
/** Of a plan: from so many backups left out in a row it is an emergency. */
const LEFT_OUT_CRITICAL = 3;
/** Counted no further. */
const MOST_COUNTED = 1000;

type Trouble = Pick<Finding, 'severity' | 'what' | 'hint' | 'since'>;

/**
 * One finding a schedule at most, the worst. `frame` is what every schedule of ours has (FRAME of the engine). A run that
 * was missed is told of until the next one begins.
 */
export function scheduleFindings(
  system: System,
  described: readonly DescribedSchedule[],
  nowMs: number,
  frame: ScheduleFrame,
): Finding[] {
  const declared = declaredSchedules(system);
  const byId = new Map(described.map((one) => [one.id, one]));
  const known = new Set(declared.map(({ id }) => id));
  // Somebody who starts everything by a timer of his own has applied nothing, and declares nothing but what is by default.
  if (described.length === 0 && declared.every(({ name }) => name === 'monitor')) return [];
  const found = declared.flatMap((one) => {
    const trouble = troubleOf(one, byId.get(one.id), nowMs, frame);
    return trouble === undefined ? [] : [{ subject: one.name, ...trouble }];
  });
  const left = described
    .filter(({ id }) => !known.has(id))
    .map(({ name }) => ({
      subject: name,
      severity: 'warning' as const,
      what: `the schedule ${name} is declared no longer and still runs`,
      hint: `Remove it: holdfast apply ${system.name}.`,
    }));
  return [...found, ...left].map((one) => ({ system: system.name, check: 'schedule', ...one }));
}

/** Plans on change whose files nobody watches: without a schedule as well nothing backs them up. */
export function followFindings(system: System, notFollowed: readonly string[]): Finding[] {
  return notFollowed.map((name) => {
    const isScheduled = system.plans.some((plan) => plan.name === name && plan.schedule !== undefined);
    return {
      system: system.name,
      check: 'schedule',
      subject: `changes/${name}`,
      severity: isScheduled ? 'warning' : 'critical',
      what: `the files of plan ${name} are not watched: it is to be backed up on change, and no change is noticed`,
      hint: `Back it up now: holdfast backup ${system.name} ${name}. Watching begins when holdfast up starts, or the service that runs it.`,
    };
  });
}

function troubleOf(
  declared: DeclaredSchedule,
  now: DescribedSchedule | undefined,
  nowMs: number,
  frame: ScheduleFrame,
): Trouble | undefined {
  const { name, system } = declared;
  if (now === undefined) {
    return {
      severity: isBackup(declared) ? 'critical' : 'warning',
      what: `the schedule ${name} is declared and the engine does not have it: nothing runs by itself`,
      hint: `Apply it: holdfast apply ${system}.`,
    };
  }
  if (isPausedByHand(now)) {
    const why = now.note === undefined ? '' : ` (${now.note})`;
    return {
      severity: 'warning',
      what: `the schedule ${name} is paused${why}`,
      hint: `Let it run again: holdfast schedule unpause ${system} ${name}.`,
    };
  }
  if (now.paused) return undefined;
  return leftOut(declared, now, nowMs) ?? missed(declared, now, nowMs) ?? differs(declared, now, frame);
}

/** The run before goes on, so that those after it are skipped. */
function leftOut(declared: DeclaredSchedule, now: DescribedSchedule, nowMs: number): Trouble | undefined {
  const [running] = now.running;
  const run = now.recent.find(({ workflowId }) => workflowId === running?.workflowId);
  if (running === undefined || run === undefined) return undefined;
  const until = nowMs - GRACE_MS - declared.jitterSeconds * 1000;
  const due = nextRuns(declared.spec, run.startedAtMs, until, MOST_COUNTED);
  if (due.length === 0) return undefined;
  const severity: Severity = isBackup(declared) && due.length >= LEFT_OUT_CRITICAL ? 'critical' : 'warning';
  return {
    severity,
    what: `${due.length === 1 ? 'a run was' : `${due.length} runs were`} left out of ${declared.name}: the one of ${at(run.dueAtMs)} has not ended`,
    hint: `See what it waits for: holdfast status ${declared.system}, and holdfast watch ${declared.start.workflowId}.`,
    since: new Date(due[0] ?? nowMs).toISOString(),
  };
}

/** The engine was down when it was due, for longer than it is made up for. */
function missed(declared: DeclaredSchedule, now: DescribedSchedule, nowMs: number): Trouble | undefined {
  if (now.running.length > 0) return undefined;
  const newest = now.recent.at(-1);
  const known = Math.max(now.createdAtMs, now.updatedAtMs ?? 0, newest?.dueAtMs ?? 0, newest?.startedAtMs ?? 0);
  const until = nowMs - GRACE_MS - declared.jitterSeconds * 1000;
  const due = nextRuns(declared.spec, known + 1, until, MOST_COUNTED);
  const last = due.at(-1);
  if (last === undefined) return undefined;
  return {
    severity: isBackup(declared) ? 'critical' : 'warning',
    what: `${declared.name} was due at ${at(last)} and did not run${due.length === 1 ? '' : `, ${due.length} times in all`}`,
    hint: `Run it now: holdfast schedule trigger ${declared.system} ${declared.name}.`,
    since: new Date(due[0] ?? last).toISOString(),
  };
}

function differs(declared: DeclaredSchedule, now: DescribedSchedule, frame: ScheduleFrame): Trouble | undefined {
  const [change] = diffSchedules([declared], [now], frame);
  if (change?.do !== 'change') return undefined;
  const fields = change.changes.map(({ field }) => field).join(', ');
  return {
    severity: 'warning',
    what: `the schedule ${declared.name} is not what the system file declares: ${fields}`,
    hint: `See the difference with holdfast apply ${declared.system} --dry-run, then apply it.`,
  };
}

function isBackup({ start }: DeclaredSchedule): boolean {
  return start.operation === 'backup';
}

function at(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16)}Z`;
}
