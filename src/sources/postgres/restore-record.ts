/**
 * What a restore has made and renamed on a server, written down on this host before it happens: by database number
 * (oid), which survives a rename. So every step finds what an earlier attempt did, and nothing is ever dropped that the
 * restore has not made or renamed itself.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import { readJson, removeDurably, writeJsonDurably } from '../durable.ts';
import type { CheckReport } from '../kinds/component.ts';
import type { DatabaseFacts } from '../kinds/postgres-dump-facts.ts';

export interface RestoredDatabase {
  /** As the dump tells it. */
  readonly facts: DatabaseFacts;
  /** Where it goes in the end. */
  readonly live: string;
  /** Where it is: the side database, or `live` itself once it was delivered to another name. */
  readonly beside: string;
  /** The name that the old one gets. */
  readonly aside: string;
  /** Of the restored one; null before it was made. */
  readonly newOid: number | null;
  /** Of what had the live name when the swap began; null when there was nothing. */
  readonly oldOid: number | null;
}

export interface DumpRestoreRecord {
  readonly format: 1;
  /** `live`: to be swapped in. `elsewhere`: under a name of the operator's choice. `proof`: checked and gone already. */
  readonly purpose: 'live' | 'elsewhere' | 'proof';
  readonly systemIdentifier: string;
  readonly selectedTables: readonly string[];
  /** Everything that the backup has. */
  readonly whole: boolean;
  readonly databases: readonly RestoredDatabase[];
  /** Roles that were missing, before they were made. */
  readonly createdRoles: readonly string[];
  /** What was done otherwise than the dump says, in words. */
  readonly told: readonly string[];
  /** The swap was begun: `oldOid` counts. */
  readonly swapping: boolean;
  readonly committed: boolean;
  /** Of a proof. */
  readonly report?: CheckReport;
}

export class RestoreNotes {
  private readonly path: string;
  private readonly id: string;

  constructor(stateDirectory: string, restoreId: string, component: string) {
    this.id = `${restoreId}-${component}`;
    if (!/^[\w.-]+$/.test(this.id)) throw new HoldfastError('BadInput', `${this.id} can't be part of a file name`);
    this.path = join(stateDirectory, 'restores', `${this.id}.json`);
  }

  async record(): Promise<DumpRestoreRecord | undefined> {
    return (await readJson(this.path)) as DumpRestoreRecord | undefined;
  }

  /** The record of a restore that must be there. */
  async known(): Promise<DumpRestoreRecord> {
    const record = await this.record();
    if (record === undefined) {
      throw new HoldfastError('SourceMissing', `There is no record of the restored copy ${this.id} on this host`);
    }
    return record;
  }

  async write(record: DumpRestoreRecord): Promise<DumpRestoreRecord> {
    await writeJsonDurably(this.path, record);
    return record;
  }

  async remove(): Promise<void> {
    await removeDurably(this.path);
  }
}

/** PostgreSQL cuts longer names off (NAMEDATALEN - 1). */
const LONGEST_NAME_BYTES = 63;

/** `app__holdfast_1a2b3c4d` and `app__before_1a2b3c4d`; a long name of the database is shortened. */
export function besideName(database: string, restoreId: string): string {
  return named(database, `__holdfast_${shortId(restoreId, database)}`);
}

export function asideName(database: string, restoreId: string): string {
  return named(database, `__before_${shortId(restoreId, database)}`);
}

/** With the whole name in it, two long names that begin alike stay apart. */
function shortId(restoreId: string, database: string): string {
  return createHash('sha256').update(`${restoreId}\n${database}`).digest('hex').slice(0, 8);
}

function named(database: string, suffix: string): string {
  let kept = database;
  while (Buffer.byteLength(kept + suffix) > LONGEST_NAME_BYTES) kept = Array.from(kept).slice(0, -1).join('');
  return kept + suffix;
}

export function tooLong(name: string): boolean {
  return Buffer.byteLength(name) > LONGEST_NAME_BYTES;
}
