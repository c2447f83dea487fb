/** What `doctor` asks of a server: settings, rights of the role, slots, archiving. Reads only, and quickly. */
import type { Client } from 'pg';
import type { PostgresComponent } from '../system/types.ts';
import { usualSlot } from '../system/postgres-build.ts';
import { listDatabases } from './catalogue.ts';
import { findLeftSlot, type LeftSlot } from './replication.ts';
import { tablespacesOutside } from './tablespaces.ts';
import type { PostgresAccess, ServerFacts } from './types.ts';

const SETTINGS = [
  ...['wal_level', 'max_wal_senders', 'archive_mode', 'archive_command', 'archive_library', 'archive_timeout'],
  ...['max_slot_wal_keep_size', 'data_checksums', 'fsync', 'full_page_writes', 'lo_compat_privileges'],
];

export interface DatabaseLook {
  readonly name: string;
  readonly sizeBytes: number;
  /** Tables that the role may not read; a few of them, and how many. */
  readonly unreadable: { readonly count: number; readonly some: readonly string[] };
  /** Tables whose rows a policy would hide from the role. */
  readonly hidden: { readonly count: number; readonly some: readonly string[] };
  /** Large objects of other owners. */
  readonly foreignObjects: number;
  readonly collationChanged: boolean;
}

export interface ServerLook {
  readonly facts: ServerFacts;
  /** Without those that the role may not see. Sizes and times in the unit of pg_settings. */
  readonly settings: Readonly<Record<string, string>>;
  readonly role: {
    readonly superuser: boolean;
    readonly replication: boolean;
    readonly bypassesRowSecurity: boolean;
    readonly readsSettings: boolean;
  };
  /** Connections of replication that are in use. */
  readonly sendersUsed: number;
  readonly slot?: {
    readonly active: boolean;
    /** `reserved`, `extended`, `unreserved` or `lost`. */
    readonly walStatus: string;
    readonly heldBytes: number;
  };
  /** Of a log that the system file asked for once and no more, or under another name. */
  readonly leftSlot?: LeftSlot;
  /** As `name in /place`. */
  readonly tablespacesOutside: readonly string[];
  readonly archiver: { readonly failing: boolean; readonly lastArchivedAt?: string; readonly lastFailedWal?: string };
  readonly databases: readonly DatabaseLook[];
  readonly missingDatabases: readonly string[];
}

/** Throws what a connection throws. */
export async function lookAtServer(
  access: PostgresAccess,
  component: PostgresComponent,
  signal: AbortSignal,
): Promise<ServerLook> {
  const facts = await access.facts(signal);
  const slot = component.method === 'base' && component.wal?.mode === 'stream' ? component.wal.slot : undefined;
  const usual = component.method === 'base' ? usualSlot(component.name) : undefined;
  const left = usual === slot ? undefined : usual;
  const look = await access.withClient({ signal }, (client) => lookInside(client, slot, left));
  const wanted = component.method === 'dump' && component.databases.length > 0 ? component.databases : look.there;
  const databases: DatabaseLook[] = [];
  if (component.method === 'dump') {
    for (const name of wanted.filter((each) => look.there.includes(each))) {
      databases.push(
        await access.withClient({ signal, database: name }, (client) => lookAtDatabase(client, name, facts)),
      );
    }
  }
  const { there, ...server } = look;
  return { facts, ...server, databases, missingDatabases: wanted.filter((name) => !there.includes(name)) };
}

async function lookInside(client: Client, slotName: string | undefined, leftName: string | undefined) {
  const { rows: settings } = await client.query<{ name: string; setting: string }>(
    'SELECT name, setting FROM pg_settings WHERE name = ANY ($1)',
    [SETTINGS],
  );
  const { rows: roles } = await client.query<{ super: boolean; repl: boolean; bypass: boolean; reads: boolean }>(
    `SELECT rolsuper AS super, rolreplication AS repl, rolbypassrls AS bypass,
            pg_has_role('pg_read_all_settings', 'USAGE') AS reads
       FROM pg_roles WHERE rolname = current_user`,
  );
  const { rows: counts } = await client.query<{ senders: number }>(
    'SELECT count(*)::int AS senders FROM pg_stat_replication',
  );
  const [role] = roles;
  const slot = slotName === undefined ? undefined : await lookAtSlot(client, slotName);
  const leftSlot = leftName === undefined ? undefined : await findLeftSlot(client, leftName);
  return {
    settings: Object.fromEntries(settings.map(({ name, setting }) => [name, setting])),
    role: {
      superuser: role?.super === true,
      replication: role?.repl === true,
      bypassesRowSecurity: role?.bypass === true,
      readsSettings: role?.reads === true,
    },
    sendersUsed: counts[0]?.senders ?? 0,
    ...(slot === undefined ? {} : { slot }),
    ...(leftSlot === undefined ? {} : { leftSlot }),
    tablespacesOutside: await tablespacesOutside(client),
    archiver: await lookAtArchiver(client),
    there: await listDatabases(client),
  };
}

async function lookAtSlot(client: Client, name: string): Promise<ServerLook['slot']> {
  const { rows } = await client.query<{ active: boolean; status: string | null; held: string | null }>(
    `SELECT active, wal_status AS status, pg_wal_lsn_diff(
              CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn
            )::text AS held
       FROM pg_replication_slots WHERE slot_name = $1`,
    [name],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  return { active: row.active, walStatus: row.status ?? 'reserved', heldBytes: Math.max(0, Number(row.held ?? 0)) };
}

async function lookAtArchiver(client: Client): Promise<ServerLook['archiver']> {
  const { rows } = await client.query<{ failing: boolean | null; archived: string | null; wal: string | null }>(
    `SELECT last_failed_time IS NOT NULL AND (last_archived_time IS NULL OR last_failed_time > last_archived_time) AS failing,
            to_char(last_archived_time, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS archived, last_failed_wal AS wal FROM pg_stat_archiver`,
  );
  const [row] = rows;
  return {
    failing: row?.failing === true,
    ...(typeof row?.archived === 'string' ? { lastArchivedAt: row.archived } : {}),
    ...(typeof row?.wal === 'string' ? { lastFailedWal: row.wal } : {}),
  };
}

/** A table is counted only by what is known without reading it. */
async function lookAtDatabase(client: Client, name: string, { versionNumber }: ServerFacts): Promise<DatabaseLook> {
  const { rows: tables } = await client.query<{ name: string; readable: boolean; hidden: boolean }>(
    `SELECT c.oid::regclass::text AS name, has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
            c.relrowsecurity AND row_security_active(c.oid) AS hidden
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      ORDER BY 1`,
  );
  const versioned = versionNumber >= 150_000;
  const { rows } = await client.query<{ size: string; objects: number; changed: boolean }>(
    `SELECT pg_database_size(oid)::text AS size,
            (SELECT count(*)::int FROM pg_largeobject_metadata WHERE NOT pg_has_role(lomowner, 'USAGE')) AS objects,
            ${versioned ? 'datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)' : 'false'} AS changed
       FROM pg_database WHERE datname = current_database()`,
  );
  const some = (of: readonly { name: string }[]) => ({
    count: of.length,
    some: of.slice(0, 3).map((each) => each.name),
  });
  return {
    name,
    sizeBytes: Number(rows[0]?.size ?? 0),
    unreadable: some(tables.filter(({ readable }) => !readable)),
    hidden: some(tables.filter(({ hidden }) => hidden)),
    foreignObjects: rows[0]?.objects ?? 0,
    collationChanged: rows[0]?.changed === true,
  };
}
