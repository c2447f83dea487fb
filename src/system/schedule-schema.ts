/** How a system file says when something runs by itself. */
import { z } from 'zod';
import { DEFAULTS, duration } from './schema-parts.ts';

export const MONITOR_EVERY = '1m';

const cron = z.string().describe('A cron expression of five fields, such as `0 2 * * *`.');

/** One of `cron` and `every` is asked for by the cross checks: a union of two maps would tell of the wrong one. */
const times = {
  cron: cron.optional(),
  every: duration('Instead of `cron`: a fixed interval such as 6h, which no clock change touches.').optional(),
  offset: duration('With `every`: counted from midnight UTC; `every: 6h, offset: 30m` is 00:30, 06:30, …').optional(),
  timeZone: z
    .string()
    .describe(`With \`cron\`: an IANA time zone such as Europe/Berlin. Default ${DEFAULTS.timeZone}.`)
    .optional(),
  jitter: duration('Begins at a random moment up to so much later, so that not all begin at once.').optional(),
  catchUp: duration(
    'How late a run is made up for that was missed while the engine was down. Default: about one interval; at least 10s.',
  ).optional(),
  paused: z.boolean().describe('Applied, but paused. Default false.').optional(),
};

const ABOUT = 'A cron expression in UTC, or `{ cron: …, timeZone: … }`, or `{ every: 6h }`.';

export const scheduleSchema = z
  .union([cron, z.strictObject(times)])
  .describe(`When it runs by itself, once applied. ${ABOUT} Default: only when it is started.`);

const job = (what: string) => z.union([cron, z.strictObject(times)]).describe(`${what} ${ABOUT}`);

export const maintenanceSchema = z
  .strictObject({
    prune: z
      .record(z.string(), job('When the store is pruned.'))
      .describe('By store: when `prune` removes what no plan keeps. Default: never.')
      .optional(),
    copy: z
      .record(z.string(), job('When the store is brought up to what the others hold.'))
      .describe('By store: when what it lacks is copied to it. Each backup starts its copies itself; this catches up.')
      .optional(),
    verify: z
      .union([
        cron,
        z.strictObject({
          ...times,
          store: z.string().describe('Only this store. Default: all, one after another.').optional(),
          level: z.enum(['presence', 'content']).describe('Default content.').optional(),
          all: z.boolean().describe('Everything, instead of the share that is due. Default false.').optional(),
          heal: z.boolean().describe('Replaces what is bad from another store. Default false.').optional(),
        }),
      ])
      .describe(`When whole stores are read back. ${ABOUT} With \`level\`, \`heal\`, \`all\`, \`store\`.`)
      .optional(),
    housekeeping: z
      .record(z.string(), job('When the task runs.'))
      .describe('By task of the section `housekeeping`. Default: only when it is started.')
      .optional(),
    checklists: z
      .record(z.string(), job('When the program goes through the list.'))
      .describe('By list (`before-backup`, `after-backup`, `restore-test`, `monthly`, `audit`). Default: never.')
      .optional(),
    monitor: job(`How often everything is compared with its limits. Default { every: ${MONITOR_EVERY} }.`).optional(),
  })
  .describe('What runs by itself beside the plans.');

export type ScheduleFile = z.output<typeof scheduleSchema>;
export type MaintenanceFile = z.output<typeof maintenanceSchema>;
