/** What a schema can't say of schedules: expressions that come, zones that exist, times that go together. Pure. */
import { nextOfCalendar } from '../policy/calendar-times.ts';
import { CHECKLISTS } from '../policy/checklist-lists.ts';
import { parseCron } from '../policy/cron.ts';
import { parseDurationSeconds } from './durations.ts';
import type { ProblemPath } from './problems.ts';
import { reportUnknown, unknownName, type Report } from './report.ts';
import type { MaintenanceFile, ScheduleFile } from './schedule-schema.ts';

/** What the engine can keep apart. */
const LEAST_EVERY_SECONDS = 10;
const LEAST_CATCH_UP_SECONDS = 10;

export function checkSchedule(path: ProblemPath, schedule: ScheduleFile, report: Report): void {
  if (typeof schedule === 'string') {
    checkCron(path, schedule, report);
    return;
  }
  const { cron, every, offset, timeZone, catchUp } = schedule;
  if ((cron === undefined) === (every === undefined)) {
    report(
      path,
      cron === undefined ? 'say when: write `cron` or `every`' : '`cron` and `every` are two ways: keep one',
    );
  }
  if (cron !== undefined) checkCron([...path, 'cron'], cron, report);
  if (cron !== undefined && offset !== undefined) {
    report([...path, 'offset'], '`offset` belongs to `every`: put the minutes into `cron`');
  }
  if (every !== undefined) checkEvery([...path, 'every'], every, report);
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    report([...path, 'timeZone'], `\`${timeZone}\` is no time zone: write one such as UTC or Europe/Berlin`);
  } else if (timeZone !== undefined && every !== undefined) {
    report([...path, 'timeZone'], '`timeZone` belongs to `cron`: an interval is counted in UTC, remove it');
  }
  if (catchUp !== undefined && (parseDurationSeconds(catchUp) ?? 0) < LEAST_CATCH_UP_SECONDS) {
    report([...path, 'catchUp'], `\`${catchUp}\` is too short to be kept: write at least ${LEAST_CATCH_UP_SECONDS}s`);
  }
}

function checkCron(path: ProblemPath, cron: string, report: Report): void {
  try {
    const comes = parseCron(cron).some((calendar) => nextOfCalendar(calendar, 'UTC', Date.now()) !== undefined);
    if (!comes) report(path, `\`${cron}\` never comes: write a date that exists`);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    report(path, `\`${cron}\` is no cron expression (${error.message}): write five fields such as 0 2 * * *`);
  }
}

function checkEvery(path: ProblemPath, every: string, report: Report): void {
  if ((parseDurationSeconds(every) ?? 0) < LEAST_EVERY_SECONDS) {
    report(path, `\`${every}\` is too often: write at least ${LEAST_EVERY_SECONDS}s`);
  }
}

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** Stores, tasks and lists must be there; a copy needs another store to come from. */
export function checkMaintenance(
  file: { readonly maintenance?: MaintenanceFile | undefined; readonly housekeeping?: object | undefined },
  { stores }: { readonly stores: readonly string[] },
  report: Report,
): void {
  const { prune = {}, copy = {}, housekeeping = {}, checklists = {}, verify, monitor } = file.maintenance ?? {};
  const tasks = Object.keys(file.housekeeping ?? {});
  for (const [section, what, jobs, known] of [
    ['prune', 'store', prune, stores],
    ['copy', 'store', copy, stores],
    ['housekeeping', 'housekeeping task', housekeeping, tasks],
    ['checklists', 'checklist', checklists, CHECKLISTS.map(({ name }) => name)],
  ] as const) {
    for (const [name, schedule] of Object.entries(jobs)) {
      const path = ['maintenance', section, name];
      if (!known.includes(name)) report(path, unknownName(what, name, known), true);
      checkSchedule(path, schedule, report);
    }
  }
  if (stores.length === 1 && Object.keys(copy).length > 0) {
    report(['maintenance', 'copy'], 'there is only one store, so nothing can be copied to it: remove it');
  }
  if (verify !== undefined) checkSchedule(['maintenance', 'verify'], verify, report);
  const store = typeof verify === 'object' ? verify.store : undefined;
  if (store !== undefined) reportUnknown(['maintenance', 'verify', 'store'], 'store', store, stores, report);
  if (monitor !== undefined) checkSchedule(['maintenance', 'monitor'], monitor, report);
}
