/** What a role must be allowed before rows can be put back, asked before anything is made. */
import { escapeIdentifier } from 'pg';
import { HoldfastError } from '../../failures.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import { pgTable } from './postgres-tables.ts';

/** A table that is gone is made anew, and then belongs to who makes it. Throws PostgresDenied. */
export async function refuseShortRights(
  access: PostgresAccess,
  database: string,
  tables: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const short = await access.withClient({ database, signal }, async (client) => {
    const found: string[] = [];
    for (const asked of tables) {
      const table = await pgTable(client, asked);
      if (table === undefined) continue;
      const { rows } = await client.query<{ name: string }>(
        `SELECT $1::oid::regclass::text AS name
          WHERE NOT (has_table_privilege($1::oid, 'SELECT') AND has_table_privilege($1::oid, 'INSERT'))
         UNION SELECT s.oid::regclass::text FROM pg_depend d JOIN pg_class s ON s.oid = d.objid
          WHERE d.refobjid = $1::oid AND d.deptype IN ('a', 'i') AND s.relkind = 'S'
            AND NOT (has_sequence_privilege(s.oid, 'SELECT') AND has_sequence_privilege(s.oid, 'UPDATE'))`,
        [table.oid],
      );
      found.push(...rows.map(({ name }) => name));
    }
    return found;
  });
  if (short.length === 0) return;
  const what = short.map((name) => name.replace(/^public\./, '')).join(', ');
  throw new HoldfastError('PostgresDenied', `${access.user} may not read and write ${what} of ${database}`, {
    hint:
      `Run what \`holdfast grants\` prints, or in ${database}: GRANT SELECT, INSERT, UPDATE on the tables and SELECT, ` +
      `UPDATE on their sequences TO ${escapeIdentifier(access.user)}.`,
  });
}
