/** Section `cleanPoint`: how `clean-point` tells a clean backup from one that is not, so that a person in distress need not. */
import { z } from 'zod';
import { durationSeconds } from './durations.ts';
import { duration } from './schema-parts.ts';
import type { CleanPointConfig } from './clean-point-types.ts';
import { sqlOf, sqlSchema } from './validation-schema.ts';

export const CLEAN_POINT_DEFAULTS = { backups: 10, within: '1h', limit: '24h' } as const;
const MOST_BACKUPS = 60;

export const cleanPointSchema = z
  .strictObject({
    components: z
      .array(z.string())
      .min(1, 'name at least one component')
      .describe('What is looked at. Default: trees of files, volumes, and what queries name.')
      .optional(),
    command: z
      .array(z.string())
      .min(1, 'name a program')
      .describe(
        'A program and its arguments, such as a virus scanner, asked of a scratch copy ({} or $HOLDFAST_SCRATCH): 0 is clean, 1 is not, anything else is no answer.',
      )
      .optional(),
    queries: z.record(z.string(), sqlSchema).describe('Of a scratch copy of a database, by name.').optional(),
    entropy: z.boolean().describe('Whether files became unreadable is looked at. Default true.').optional(),
    changes: z.boolean().describe('Whether much more changed than usual is looked at. Default true.').optional(),
    backups: z
      .int('write a whole number')
      .min(1)
      .max(MOST_BACKUPS)
      .describe(`How many backups are looked at, from the newest on. Default ${CLEAN_POINT_DEFAULTS.backups}.`)
      .optional(),
    within: duration(`How long the command may take for one copy. Default ${CLEAN_POINT_DEFAULTS.within}.`).optional(),
    limit: duration(`After so long no further backup is begun. Default ${CLEAN_POINT_DEFAULTS.limit}.`).optional(),
  })
  .describe('How the newest backup that is known to be clean is found, after an attack or damage that went unseen.');

export type CleanPointFile = z.output<typeof cleanPointSchema>;

export function buildCleanPoint(file: CleanPointFile = {}): CleanPointConfig {
  const { components, command, queries = {}, entropy = true, changes = true } = file;
  return {
    ...(components === undefined ? {} : { components }),
    ...(command === undefined ? {} : { command }),
    queries: Object.entries(queries).map(([name, written]) => ({ name, probe: sqlOf(written) })),
    entropy,
    changes,
    backups: file.backups ?? CLEAN_POINT_DEFAULTS.backups,
    withinSeconds: durationSeconds(file.within ?? CLEAN_POINT_DEFAULTS.within),
    limitSeconds: durationSeconds(file.limit ?? CLEAN_POINT_DEFAULTS.limit),
  };
}
