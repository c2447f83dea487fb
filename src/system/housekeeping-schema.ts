/** Section `housekeeping`: what is removed from a system once a backup of it has been read back. */
import { z } from 'zod';
import { durationSeconds } from './durations.ts';
import { duration, patterns, text } from './schema-parts.ts';

const KEEP_AT_LEAST = 2;

const task = z.strictObject({
  component: text('A component of the kind `files`; its `include` and `exclude` count here too.'),
  units: z
    .enum(['files', 'entries'])
    .describe('`files` (default), or `entries`: what lies directly in the component, each with all below it, as one.')
    .optional(),
  olderThan: duration('What was not changed for so long may go.'),
  keepAtLeast: z
    .int('write a whole number')
    .min(0, 'write a number of at least 0')
    .describe(`So many of the newest stay, however old they are. Default ${KEEP_AT_LEAST}.`)
    .optional(),
  include: patterns('Only these of the component; default all.').optional(),
  exclude: patterns('All but these.').optional(),
  stores: z
    .array(z.string())
    .min(1, 'name at least one store')
    .describe('A file goes only when each of these gives it back, byte for byte. Default: the first that has a backup.')
    .optional(),
});

export const housekeepingSchema = z
  .record(z.string(), task)
  .describe('What `holdfast housekeep` removes, by name: old files, once a backup of them has been read back.');

export type HousekeepingFile = z.output<typeof housekeepingSchema>;

export interface HousekeepingTask {
  readonly name: string;
  readonly component: string;
  readonly units: 'files' | 'entries';
  readonly olderThanSeconds: number;
  readonly keepAtLeast: number;
  /** Patterns relative to the component; empty: everything. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Each of them has to give a file back; empty: the first that has a backup. */
  readonly stores: readonly string[];
}

export function buildHousekeeping(file: HousekeepingFile = {}): HousekeepingTask[] {
  return Object.entries(file).map(([name, { component, units, olderThan, keepAtLeast, include, exclude, stores }]) => ({
    name,
    component,
    units: units ?? 'files',
    olderThanSeconds: durationSeconds(olderThan),
    keepAtLeast: keepAtLeast ?? KEEP_AT_LEAST,
    include: include ?? [],
    exclude: exclude ?? [],
    stores: stores ?? [],
  }));
}
