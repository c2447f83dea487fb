/** What is known of a cluster beside its files: asked of the running server, kept in the backup for its restore. */
import type { Client } from 'pg';
import { z } from 'zod';
import { HoldfastError } from '../../failures.ts';
import type { ArtifactReader } from '../../part.ts';
import { readJsonArtifact } from '../kinds/json-artifact.ts';
import { tablespacesOutside, WITHOUT_TABLESPACES } from '../../postgres/tablespaces.ts';

export const BASE = 'base.tar';
export const FACTS = 'cluster.json';

/** The version of a collation's rules under which a database's indexes were built. */
const collation = z.object({ database: z.string(), provider: z.string(), version: z.string() });

/** The artifact cluster.json; docs/FORMAT.md. */
const clusterFacts = z.object({
  format: z.literal(1),
  systemIdentifier: z.string().regex(/^\d+$/),
  /** `server_version_num`. */
  versionNumber: z.int().positive(),
  timeline: z.int().positive(),
  startLsn: z.string(),
  /** From here on the backup is consistent. */
  endLsn: z.string(),
  /** By the server's clock: before the backup began, and after it ended. */
  startedAt: z.string(),
  endedAt: z.string(),
  fromStandby: z.boolean(),
  segmentBytes: z.int().positive(),
  dataChecksums: z.boolean(),
  /** Files of the configuration that lie outside the data directory and so are not in the backup. */
  configurationOutside: z.array(z.string()),
  collations: z.array(collation),
  files: z.int(),
});
export type ClusterFacts = z.infer<typeof clusterFacts>;

/** What is asked before the backup begins. */
export type ServerSide = Pick<
  ClusterFacts,
  | 'systemIdentifier'
  | 'versionNumber'
  | 'startedAt'
  | 'segmentBytes'
  | 'dataChecksums'
  | 'configurationOutside'
  | 'collations'
>;

/** Throws BadInput for a cluster with tablespaces elsewhere, which pg_basebackup can't write into one stream. */
export async function askServer(
  client: Client,
  versionNumber: number,
): Promise<{
  readonly side: ServerSide;
  /** Of the databases that may be asked, for the progress; other files are little beside them. */
  readonly sizeBytes: number;
}> {
  const tablespaces = await tablespacesOutside(client);
  if (tablespaces.length > 0) {
    const named = tablespaces.join(', ');
    throw new HoldfastError(
      'BadInput',
      `the cluster has tablespaces outside its data directory, which one stream can't hold: ${named}`,
      { hint: WITHOUT_TABLESPACES },
    );
  }
  const { rows } = await client.query<{
    identifier: string;
    now: string;
    segment: string;
    checksums: string;
    size: string;
  }>(
    `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS identifier, ${NOW} AS now,
            (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size') AS segment,
            current_setting('data_checksums') AS checksums,
            (SELECT coalesce(sum(pg_database_size(oid)), 0)::text FROM pg_database
              WHERE has_database_privilege(oid, 'CONNECT')) AS size`,
  );
  const [row] = rows;
  if (row === undefined) throw new HoldfastError('Internal', 'A query of one row gave none');
  const side = {
    systemIdentifier: row.identifier,
    versionNumber,
    startedAt: row.now,
    segmentBytes: Number(row.segment),
    dataChecksums: row.checksums === 'on',
    configurationOutside: await configurationOutside(client),
    collations: versionNumber >= 150_000 ? await collationsOf(client) : [],
  };
  return { side, sizeBytes: Number(row.size) };
}

const NOW = `to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** RFC 3339, by the server's clock. */
export async function serverTime(client: Client): Promise<string> {
  const { rows } = await client.query<{ now: string }>(`SELECT ${NOW} AS now`);
  return rows[0]?.now ?? '';
}

/** Where the role may not read these settings, nothing is known, which is as good as nothing outside. */
async function configurationOutside(client: Client): Promise<string[]> {
  const names = ['data_directory', 'config_file', 'hba_file', 'ident_file'];
  const { rows } = await client.query<{ name: string; setting: string }>(
    'SELECT name, setting FROM pg_settings WHERE name = ANY ($1)',
    [names],
  );
  const directory = rows.find(({ name }) => name === 'data_directory')?.setting;
  if (directory === undefined) return [];
  return rows
    .filter(({ name, setting }) => name !== 'data_directory' && !setting.startsWith(`${directory}/`))
    .map(({ setting }) => setting)
    .sort();
}

async function collationsOf(client: Client): Promise<ClusterFacts['collations']> {
  const { rows } = await client.query<z.infer<typeof collation>>(
    `SELECT datname AS database, datlocprovider::text AS provider, datcollversion AS version
       FROM pg_database WHERE datallowconn AND datcollversion IS NOT NULL ORDER BY datname`,
  );
  return rows;
}

/** Throws ArchiveBroken when the backup has no such artifacts. */
export async function artifactsOf(
  component: string,
  artifacts: readonly ArtifactReader[],
  signal: AbortSignal,
): Promise<{ readonly base: ArtifactReader; readonly facts: ClusterFacts }> {
  const base = artifacts.find(({ name }) => name === BASE);
  const described = artifacts.find(({ name }) => name === FACTS);
  if (base === undefined || described === undefined) {
    throw new HoldfastError('ArchiveBroken', `The backup of ${component} has no ${BASE} and ${FACTS}`);
  }
  const parsed = clusterFacts.safeParse(await readJsonArtifact(described, signal));
  if (!parsed.success) throw new HoldfastError('ArchiveBroken', `${FACTS} of ${component} is not understood`);
  return { base, facts: parsed.data };
}
