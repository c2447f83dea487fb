/** What a system file asks of a captured or restored database, of whatever kind. */
import { z } from 'zod';
import { present } from './present.ts';
import type { DatabaseChecks } from './types.ts';
import { count, text } from './schema-parts.ts';

export const databaseChecks = z
  .strictObject({
    requiredTables: z
      .array(z.string().min(1))
      .describe('`table`, in PostgreSQL also `schema.table`; must be there.')
      .optional(),
    minimumRows: z.record(z.string(), count('At least so many rows.')).describe('By table.').optional(),
    assertions: z
      .array(
        z.strictObject({
          name: text('What is asserted.'),
          sql: text('A query with one row of one value, which must be true.'),
          database: text('PostgreSQL. Default: the only database, or the maintenance database.').optional(),
        }),
      )
      .describe('Queries that must answer true in what was restored.')
      .optional(),
  })
  .describe('What must hold of a captured or restored database.');

export function buildDatabaseChecks(file: z.output<typeof databaseChecks> | undefined): DatabaseChecks {
  return {
    requiredTables: file?.requiredTables ?? [],
    minimumRows: file?.minimumRows ?? {},
    assertions: (file?.assertions ?? []).map(present),
  };
}
