/** One ordinary connection that looks at the server and the slot, kept open between two looks. */
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from 'pg';
import { postgresFailure } from '../../postgres/errors.ts';
import { createSlot, dropSlot, lookAtServer, type ServerSight } from '../../postgres/replication.ts';
import type { PostgresAccess } from '../../postgres/types.ts';

/** SQLSTATE: the slot is active for somebody. */
const IN_USE = '55006';

export class ServerWatch {
  private readonly access: PostgresAccess;
  private readonly slot: string;
  private readonly signal: AbortSignal;
  private client: Promise<Client> | undefined;
  /** The last look that succeeded. */
  latest: ServerSight | undefined;

  constructor(access: PostgresAccess, slot: string, signal: AbortSignal) {
    this.access = access;
    this.slot = slot;
    this.signal = signal;
  }

  /** Throws PostgresUnreachable and the others; the next look connects again. */
  async look(): Promise<ServerSight> {
    return this.use('look at the replication slot', async (client) => {
      this.latest = await lookAtServer(client, this.slot);
      return this.latest;
    });
  }

  createSlot(): Promise<void> {
    return this.use(`create the slot ${this.slot}`, (client) => createSlot(client, this.slot));
  }

  /** False while somebody uses the slot. */
  async dropSlot(): Promise<boolean> {
    return this.use(`drop the slot ${this.slot}`, async (client) => {
      try {
        await dropSlot(client, this.slot);
        return true;
      } catch (error) {
        if ((error as { code?: string }).code === IN_USE) return false;
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    const client = await this.client?.catch(() => undefined);
    this.client = undefined;
    await client?.end().catch(() => undefined);
  }

  private async use<T>(what: string, work: (client: Client) => Promise<T>): Promise<T> {
    const opening = (this.client ??= this.access.connect({ signal: this.signal }));
    try {
      return await work(await opening);
    } catch (error) {
      if (this.client === opening) this.client = undefined;
      const client = await opening.catch(() => undefined);
      // Broken or not: the next use has a new one.
      void client?.end().catch(() => undefined);
      this.signal.throwIfAborted();
      throw postgresFailure(error, what);
    }
  }
}

/**
 * Of the log, which may have a disk of its own. Undefined where the data directory can't be seen from here, as with a
 * server in another machine or mount.
 */
export async function diskOf(
  directory: string | undefined,
): Promise<{ freeBytes: number; totalBytes: number } | undefined> {
  if (directory === undefined) return undefined;
  try {
    const { bavail, blocks, bsize } = await statfs(join(directory, 'pg_wal'));
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch {
    return undefined;
  }
}
