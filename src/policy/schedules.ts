/**
 * What a system file asks to run by itself, as schedules of the engine. Pure. A new kind of job is one entry of JOBS (and
 * a key of `maintenance` in src/system/schedule-*.ts).
 */
import { present } from '../system/present.ts';
import type { ScheduleConfig, System } from '../system/types.ts';
import { clockChangeNotes, intervalsSeconds, specOf, type ScheduleSpec } from './due-times.ts';

/** What the workflow `scheduled` gets: what it starts under which id, and the fields of that operation's own input. */
export interface ScheduledStart {
  /** The schedule's name, such as `backup/daily`. */
  readonly schedule: string;
  /** The workflow type. */
  readonly operation: string;
  readonly workflowId: string;
  readonly system: string;
  readonly [field: string]: string | number | boolean;
}

export interface DeclaredSchedule {
  readonly id: string;
  /** Unique within the system: `backup/daily`, `prune/nas`, `verify`, `monitor`. */
  readonly name: string;
  readonly system: string;
  /** One line for people. */
  readonly what: string;
  readonly spec: ScheduleSpec;
  /** The times as they are written in the file, for people. */
  readonly written: string;
  readonly jitterSeconds: number;
  readonly catchUpSeconds: number;
  readonly paused: boolean;
  readonly start: ScheduledStart;
}

const DAY_SECONDS = 86_400;
/** The engine keeps nothing shorter. */
const LEAST_CATCH_UP_SECONDS = 10;
/** From here the interval of a schedule is counted: fixed, so that what is declared does not depend on when. */
const COUNTED_FROM_MS = Date.UTC(2026, 0, 1);

export const scheduleId = (system: string, name: string): string => `${system}/schedule/${name}`;
/** The engine adds `-<time>` to it for each run. */
export const scheduledRunId = (system: string, name: string): string => `${system}/scheduled/${name}`;

/** The system and the name of a schedule's id; undefined for an id that is not of our making. */
export function partsOfScheduleId(id: string): { system: string; name: string } | undefined {
  const match = /^([a-z][a-z0-9-]*)\/schedule\/([a-z][a-z0-9/-]*)$/.exec(id);
  const [, system, name] = match ?? [];
  return system === undefined || name === undefined ? undefined : { system, name };
}

interface Job {
  readonly name: string;
  readonly what: string;
  readonly config: ScheduleConfig;
  readonly operation: string;
  /** The id under which a person's own start of the same runs as well, so that the engine lets only one of them run. */
  readonly workflowId: string;
  /** Of the operation's input, beside the system. */
  readonly fields?: Readonly<Record<string, string | number | boolean>>;
}

/** Every kind of job, in the order in which people see them. The ids are those of `workflowIds`; a test compares them. */
const JOBS: readonly ((system: System) => readonly Job[])[] = [
  plans,
  prunes,
  copies,
  verification,
  housekeeping,
  checklists,
  drills,
  ofFailover,
  ({ name, maintenance }) => [simple(name, 'monitor', 'everything compared with its limits', maintenance.monitor)],
];

function plans({ name: system, plans: all }: System): Job[] {
  return all.flatMap(({ name: plan, schedule }) => {
    if (schedule === undefined) return [];
    const about = { name: `backup/${plan}`, what: `backup by plan ${plan}`, config: schedule };
    return [{ ...about, operation: 'backup', workflowId: `${system}/backup/${plan}`, fields: { plan } }];
  });
}

function prunes({ name: system, maintenance }: System): Job[] {
  return Object.entries(maintenance.prune).map(([store, config]) => {
    const about = { name: `prune/${store}`, what: `prune of ${store}`, config };
    return { ...about, operation: 'prune', workflowId: `${system}/prune/${store}`, fields: { store } };
  });
}

function copies({ name: system, maintenance }: System): Job[] {
  return Object.entries(maintenance.copy).map(([target, config]) => {
    const about = { name: `copy/${target}`, what: `copies to ${target}`, config };
    return { ...about, operation: 'copy', workflowId: `${system}/copy/${target}`, fields: { target } };
  });
}

function verification({ name: system, maintenance: { verify } }: System): Job[] {
  if (verify === undefined) return [];
  const { store, level, all, heal } = verify;
  const about = { name: 'verify', what: `verification of ${store ?? 'every store'}`, config: verify };
  const workflowId = `${system}/verify-store/${store ?? 'all'}`;
  return [{ ...about, operation: 'verifyStore', workflowId, fields: present({ store, level, all, heal }) }];
}

function housekeeping({ name: system, maintenance }: System): Job[] {
  return Object.entries(maintenance.housekeeping).map(([task, config]) => {
    const name = `housekeeping/${task}`;
    const about = { name, what: `housekeeping: ${task}`, config };
    return { ...about, operation: 'housekeeping', workflowId: `${system}/${name}`, fields: { task } };
  });
}

function checklists({ name: system, maintenance }: System): Job[] {
  return Object.entries(maintenance.checklists).map(([list, config]) => {
    const about = { name: `checklist/${list}`, what: `checklist ${list}`, config };
    return { ...about, operation: 'checklist', workflowId: `${system}/checklist/${list}`, fields: { list } };
  });
}

function drills({ name: system, drills: all }: System): Job[] {
  return all.flatMap(({ name: kind, schedule }) => {
    if (schedule === undefined) return [];
    const name = `drill/${kind}`;
    const about = { name, what: `drill ${kind}`, config: schedule };
    return [{ ...about, operation: 'drill', workflowId: `${system}/${name}`, fields: { kind } }];
  });
}

function ofFailover({ name: system, failover }: System): Job[] {
  const { readiness, rehearsal } = failover ?? {};
  return [
    ...(readiness === undefined ? [] : [simple(system, 'readiness', 'could this site take over', readiness)]),
    ...(rehearsal === undefined
      ? []
      : [
          {
            ...simple(system, 'rehearsal', 'rehearsal of a failover', rehearsal),
            operation: 'readiness',
            fields: { rehearse: true },
          },
        ]),
  ];
}

/** A workflow that is named like its job, runs once a system and asks for nothing but the system. */
function simple(system: string, name: string, what: string, config: ScheduleConfig): Job {
  return { name, what, config, operation: name, workflowId: `${system}/${name}` };
}

/** Everything that is to run by itself, plans first. Throws RangeError for times that the checks of a file refuse. */
export function declaredSchedules(system: System): DeclaredSchedule[] {
  return JOBS.flatMap((jobs) => jobs(system)).map((job) => declare(system.name, job));
}

function declare(system: string, { name, what, config, operation, workflowId, fields }: Job): DeclaredSchedule {
  const spec = specOf(config);
  return {
    id: scheduleId(system, name),
    name,
    system,
    what,
    spec,
    written: timesText(config),
    jitterSeconds: config.jitterSeconds ?? 0,
    catchUpSeconds: config.catchUpSeconds ?? defaultCatchUp(spec),
    paused: config.paused ?? false,
    start: { schedule: name, operation, workflowId, system, ...fields },
  };
}

/** One interval: of all that an outage made miss, one run is made up for, and never two. */
function defaultCatchUp(spec: ScheduleSpec): number {
  const least = Math.min(...intervalsSeconds(spec, COUNTED_FROM_MS), 366 * DAY_SECONDS);
  return Math.max(least, LEAST_CATCH_UP_SECONDS);
}

/** As the file says it: `0 2 * * * Europe/Berlin`, `every 6 h + 30 min`. */
function timesText(config: ScheduleConfig): string {
  if (config.cron !== undefined) return `${config.cron} ${config.timeZone}`;
  const { everySeconds, offsetSeconds } = config;
  return `every ${secondsText(everySeconds)}${offsetSeconds === 0 ? '' : ` + ${secondsText(offsetSeconds)}`}`;
}

const UNITS = [
  ['d', DAY_SECONDS],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
] as const;

/** Exactly, as durations are written in system files: `1h30m`. */
export function secondsText(seconds: number): string {
  let left = seconds;
  const parts = UNITS.map(([unit, size]) => {
    const count = Math.floor(left / size);
    left -= count * size;
    return count === 0 ? '' : `${count}${unit}`;
  });
  return parts.join('') || '0s';
}

/** What a person should know before relying on what is declared. */
export interface ScheduleNote {
  readonly what: string;
  readonly doThis: string;
}

export function scheduleNotes(system: System, declared: readonly DeclaredSchedule[], nowMs: number): ScheduleNote[] {
  const clock = declared.flatMap(({ name, spec }) =>
    clockChangeNotes(spec, nowMs).map((note) => ({
      what: `${name} is ${note}`,
      doThis: 'Choose an hour that no clock change touches, or UTC.',
    })),
  );
  const unpruned = system.stores.filter(({ name }) => system.maintenance.prune[name] === undefined);
  if (unpruned.length === 0) return clock;
  const stores = unpruned.map(({ name }) => name).join(', ');
  const doThis = 'Add it to `maintenance.prune`, or run `holdfast prune` by hand.';
  return [...clock, { what: `nothing prunes ${stores} by itself`, doThis }];
}
