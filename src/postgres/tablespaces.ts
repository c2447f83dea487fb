/** Tablespaces that pg_basebackup would need a stream of their own for each. */
import type { Client } from 'pg';

/** What to do about them. */
export const WITHOUT_TABLESPACES =
  'Use `method: dump`, or move all of it into pg_default, in each database (ALTER TABLE ALL IN TABLESPACE … SET TABLESPACE pg_default, then the same for INDEX and MATERIALIZED VIEW), and DROP TABLESPACE.';

/** Outside the data directory, as `name in /place`. Those inside it (allow_in_place_tablespaces) are no matter. */
export async function tablespacesOutside(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string; place: string }>(
    `SELECT spcname AS name, pg_tablespace_location(oid) AS place FROM pg_tablespace
      WHERE pg_tablespace_location(oid) LIKE '/%' ORDER BY 1`,
  );
  return rows.map(({ name, place }) => `${name} in ${place}`);
}
