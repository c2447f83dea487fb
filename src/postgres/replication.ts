/**
 * What a server says on a replication connection, and its physical replication slots. PostgreSQL documentation: Streaming
 * Replication Protocol; pg_replication_slots.
 */
import type { Client } from 'pg';
import { HoldfastError } from '../failures.ts';
import { isSegmentSize, parseLsn } from '../policy/lsn.ts';

export interface ServerIdentity {
  /** Decimal digits. */
  readonly systemIdentifier: string;
  readonly timeline: number;
}

const UNIT_BYTES: Readonly<Record<string, number>> = { B: 1, kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

/** IDENTIFY_SYSTEM. */
export async function identifySystem(replication: Client): Promise<ServerIdentity> {
  const { rows } = await replication.query<{ systemid: string; timeline: number | string }>('IDENTIFY_SYSTEM');
  const [row] = rows;
  if (row === undefined) throw new HoldfastError('Internal', 'IDENTIFY_SYSTEM gave no row');
  return { systemIdentifier: row.systemid, timeline: Number(row.timeline) };
}

/** wal_segment_size in bytes. */
export async function segmentBytesOf(replication: Client): Promise<number> {
  const { rows } = await replication.query<{ wal_segment_size: string }>('SHOW wal_segment_size');
  const found = /^(\d+)(B|kB|MB|GB)$/.exec(rows[0]?.wal_segment_size ?? '');
  const bytes = Number(found?.[1] ?? 0) * (UNIT_BYTES[found?.[2] ?? ''] ?? 0);
  if (!isSegmentSize(bytes)) {
    throw new HoldfastError('Internal', `wal_segment_size is ${rows[0]?.wal_segment_size ?? 'unknown'}`);
  }
  return bytes;
}

/** The content of a timeline's history file. */
export async function timelineHistory(replication: Client, timeline: number): Promise<Buffer> {
  // The column is called bytea and holds the file as it is, so that it must not be decoded as one.
  const asText = { getTypeParser: () => (value: string) => value };
  const { rows } = await replication.query<{ content: string }>({
    text: `TIMELINE_HISTORY ${timeline}`,
    types: asText,
  });
  const content = rows[0]?.content;
  if (content === undefined) throw new HoldfastError('Internal', `the server has no history of timeline ${timeline}`);
  return Buffer.from(content, 'utf8');
}

export interface SlotState {
  readonly exists: boolean;
  readonly activePid?: number;
  /** Up to here the server may remove its log. */
  readonly restartLsn?: bigint;
  /** `reserved`, `extended`, `unreserved` or `lost`. */
  readonly walStatus?: string;
  /** How much more may be written before the server gives the slot up; absent without max_slot_wal_keep_size. */
  readonly safeBytes?: bigint;
}

export interface ServerSight {
  /** By the server's clock; taken before `lsn` was read, so that what was acknowledged before lies at or before `lsn`. */
  readonly atMs: number;
  /** How far the log is safe on the server; of a standby, how far it has received. */
  readonly lsn: bigint;
  readonly inRecovery: boolean;
  readonly slot: SlotState;
  readonly heldBackBytes: number;
}

interface SightRow {
  readonly at: string;
  readonly recovery: boolean;
  readonly lsn: string | null;
  readonly slot: string | null;
  readonly pid: number | null;
  readonly restart: string | null;
  readonly status: string | null;
  readonly safe: string | null;
}

const LOOK = `
  WITH now AS MATERIALIZED (
    SELECT extract(epoch FROM clock_timestamp())::text AS at, pg_is_in_recovery() AS recovery
  ), here AS MATERIALIZED (
    SELECT now.*, CASE WHEN recovery THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
                       ELSE pg_current_wal_flush_lsn() END AS lsn
    FROM now
  )
  SELECT at, recovery, lsn::text, slot_name AS slot, active_pid AS pid, restart_lsn::text AS restart,
         wal_status AS status, safe_wal_size::text AS safe
  FROM here LEFT JOIN pg_replication_slots ON slot_name = $1`;

/** One look at the server and at the slot. An ordinary connection. */
export async function lookAtServer(client: Client, slot: string): Promise<ServerSight> {
  const { rows } = await client.query<SightRow>(LOOK, [slot]);
  const [row] = rows;
  if (row === undefined || row.lsn === null)
    throw new HoldfastError('PostgresUnreachable', 'the server does not yet know its position');
  const lsn = parseLsn(row.lsn);
  const restart = row.restart === null ? undefined : parseLsn(row.restart);
  return {
    atMs: Math.floor(Number(row.at) * 1000),
    lsn,
    inRecovery: row.recovery,
    heldBackBytes: restart === undefined || restart > lsn ? 0 : Number(lsn - restart),
    slot: {
      exists: row.slot !== null,
      ...(row.pid === null ? {} : { activePid: row.pid }),
      ...(restart === undefined ? {} : { restartLsn: restart }),
      ...(row.status === null ? {} : { walStatus: row.status }),
      ...(row.safe === null ? {} : { safeBytes: BigInt(row.safe) }),
    },
  };
}

/** Makes the slot hold the log from the last checkpoint on. */
export async function createSlot(client: Client, slot: string): Promise<void> {
  await client.query('SELECT pg_create_physical_replication_slot($1, true)', [slot]);
}

/** A slot that is missing is as good as dropped. Throws what the server says while somebody uses it. */
export async function dropSlot(client: Client, slot: string): Promise<void> {
  await client.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1', [
    slot,
  ]);
}

export interface LeftSlot {
  readonly name: string;
  readonly heldBytes: number;
}

/** One of these that is there and that nobody reads from: its server keeps log for it, without an end. */
export async function findLeftSlot(client: Client, name: string): Promise<LeftSlot | undefined> {
  const sight = await lookAtServer(client, name);
  if (!sight.slot.exists || sight.slot.activePid !== undefined) return undefined;
  return { name, heldBytes: sight.heldBackBytes };
}
