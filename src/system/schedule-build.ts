/** Schedules as written to schedules as used. Pure; what it is given has passed the cross checks. */
import { durationSeconds } from './durations.ts';
import { present } from './present.ts';
import { DEFAULTS } from './schema-parts.ts';
import { MONITOR_EVERY, type MaintenanceFile, type ScheduleFile } from './schedule-schema.ts';
import type { Maintenance, ScheduleConfig, ScheduleTimes } from './schedule-types.ts';

export function buildSchedule(file: ScheduleFile): ScheduleConfig {
  const written = typeof file === 'string' ? { cron: file } : file;
  const { jitter, catchUp, paused } = written;
  return {
    ...buildTimes(written),
    ...(jitter === undefined ? {} : { jitterSeconds: durationSeconds(jitter) }),
    ...(catchUp === undefined ? {} : { catchUpSeconds: durationSeconds(catchUp) }),
    ...(paused === undefined ? {} : { paused }),
  };
}

function buildTimes({ cron, every, offset, timeZone }: Exclude<ScheduleFile, string>): ScheduleTimes {
  if (cron !== undefined) return { cron, timeZone: timeZone ?? DEFAULTS.timeZone };
  if (every === undefined) throw new RangeError('a schedule without times');
  const everySeconds = durationSeconds(every);
  const offsetSeconds = offset === undefined ? 0 : durationSeconds(offset) % everySeconds;
  return { everySeconds, offsetSeconds, timeZone: DEFAULTS.timeZone };
}

export function buildMaintenance(file: MaintenanceFile = {}): Maintenance {
  const { prune = {}, copy = {}, verify, housekeeping = {}, checklists = {} } = file;
  const { monitor = { every: MONITOR_EVERY } } = file;
  return {
    prune: buildEach(prune),
    copy: buildEach(copy),
    checklists: buildEach(checklists),
    ...(verify === undefined ? {} : { verify: buildVerify(verify) }),
    housekeeping: buildEach(housekeeping),
    monitor: buildSchedule(monitor),
  };
}

function buildEach(files: Readonly<Record<string, ScheduleFile>>): Record<string, ScheduleConfig> {
  return Object.fromEntries(Object.entries(files).map(([name, file]) => [name, buildSchedule(file)]));
}

function buildVerify(file: NonNullable<MaintenanceFile['verify']>): NonNullable<Maintenance['verify']> {
  if (typeof file === 'string') return buildSchedule(file);
  const { store, level, all, heal, ...times } = file;
  return { ...buildSchedule(times), ...present({ store, level, all, heal }) };
}
