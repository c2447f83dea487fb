/** Section `drills`: which restores are rehearsed, when, and how. */
import { z } from 'zod';
import { durationSeconds } from './durations.ts';
import { buildSchedule } from './schedule-build.ts';
import { scheduleSchema } from './schedule-schema.ts';
import type { ScheduleConfig } from './schedule-types.ts';
import { duration } from './schema-parts.ts';

const drill = z.strictObject({
  schedule: scheduleSchema.optional(),
  plan: z
    .string()
    .describe('Only backups of this plan. Default: of each component the newest, whatever its plan.')
    .optional(),
  olderThan: duration('About so old: of all backups the one whose age comes nearest. Default: the newest.').optional(),
  components: z.array(z.string()).min(1, 'name at least one component').describe('Default: all.').optional(),
  startStack: z
    .boolean()
    .describe('Starts the Compose project, isolated, on what was restored. Default: where the backup holds one.')
    .optional(),
  freshBackup: z.boolean().describe('Makes a backup first, and rehearses with that one. Default false.').optional(),
  tellBefore: duration(
    'The channels with `on: [drill announced]` are told so long before it begins. Default: they are not.',
  ).optional(),
  within: duration('What the restore may take, from its begin to the last check. Default: the objective.').optional(),
});

export const drillsSchema = z
  .record(z.string(), drill)
  .describe('Restores that are rehearsed in isolation, by name: `holdfast drill <system> --kind <name>`.');

export type DrillsFile = z.output<typeof drillsSchema>;

export interface DrillConfig {
  readonly name: string;
  /** Absent: only when it is started. */
  readonly schedule?: ScheduleConfig;
  /** Absent: of each component the newest backup, whatever its plan. */
  readonly plan?: string;
  /** Absent: the newest. */
  readonly olderThanSeconds?: number;
  /** Empty: all. */
  readonly components: readonly string[];
  /** Absent: where the backup holds a Compose project. */
  readonly startStack?: boolean;
  readonly freshBackup: boolean;
  /** 0: nobody is told. */
  readonly tellBeforeSeconds: number;
  readonly withinSeconds?: number;
}

export function buildDrills(file: DrillsFile = {}): DrillConfig[] {
  return Object.entries(file).map(([name, one]) => ({
    name,
    components: one.components ?? [],
    freshBackup: one.freshBackup ?? false,
    tellBeforeSeconds: one.tellBefore === undefined ? 0 : durationSeconds(one.tellBefore),
    ...(one.schedule === undefined ? {} : { schedule: buildSchedule(one.schedule) }),
    ...(one.plan === undefined ? {} : { plan: one.plan }),
    ...(one.olderThan === undefined ? {} : { olderThanSeconds: durationSeconds(one.olderThan) }),
    ...(one.startStack === undefined ? {} : { startStack: one.startStack }),
    ...(one.within === undefined ? {} : { withinSeconds: durationSeconds(one.within) }),
  }));
}
