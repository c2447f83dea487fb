/** What takes part in the PostgreSQL benchmark, on one server, with an empty repository for every run. */
import { processCpuSeconds } from '../measure.ts';
import type { Measured } from '../measure.ts';
import { descendantsOf } from '../../../sample/stack/processes.ts';
import type { PostgresServer } from '../../../test/support/postgres.ts';

/** A copy of the cluster's files, or a dump of the database. Compared only with their like. */
export type Family = 'base' | 'dump';

export interface Stored {
  /** The backups themselves. */
  readonly backupBytes: number;
  /** Write-ahead log kept beside them. */
  readonly walBytes: number;
}

export interface Restored extends Measured {
  /** From the end of the command to the server answering queries; absent where nothing has to be started. */
  readonly readySeconds?: number;
  /** Of what came back. */
  readonly fingerprint: string;
}

export interface PostgresContender {
  readonly name: string;
  readonly family: Family;
  /** Makes a new, encrypted repository. */
  prepare(server: PostgresServer): Promise<void>;
  /** The first is a full one, the others whatever follows it. */
  backup(): Promise<Measured>;
  stored(): Promise<Stored>;
  /** The newest backup, without anything after it. `directory` is empty. */
  restore(directory: string): Promise<Restored>;
  /** Facts worth a line in the report, such as a version. */
  describe(): Promise<string>;
  close(): Promise<void>;
}

/** CPU seconds of the server so far, everything it has started included. */
export function serverCpuSeconds(server: PostgresServer): number {
  return [server.pid, ...descendantsOf(server.pid)].reduce((sum, pid) => {
    try {
      return sum + processCpuSeconds(pid);
    } catch {
      // It ended in between; its time is its parent's now, and is counted in the next reading.
      return sum;
    }
  }, 0);
}
