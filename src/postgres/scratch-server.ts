/** A PostgreSQL server for a moment: made empty, reachable by a Unix socket only, gone afterwards whatever happens. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../failures.ts';
import type { PostgresServer } from '../system/postgres-types.ts';
import { withPrivateServer, type PrivateServer } from './private-server.ts';
import { withScratchPlace } from './scratch-place.ts';
import { dataOf, makeCluster, type Place } from './scratch-process.ts';

export interface ScratchServerOptions {
  /** Where `initdb` and `postgres` of the wanted release are. */
  readonly toolsDirectory: string;
  /** For the cluster's own databases; one made from template0 may have others. Default UTF8 and C. */
  readonly initdb?: { readonly encoding?: string; readonly locale?: string };
  readonly stateDirectory: string;
  readonly signal: AbortSignal;
  /** It ends after this long, whatever is done with it. Default six hours. */
  readonly limitSeconds?: number;
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
}

export interface ScratchServer {
  /** As a system file would describe it; the role is the superuser. */
  readonly server: PostgresServer;
  readonly directory: string;
  /** Aborts with the caller's signal, and when the time is over. */
  readonly signal: AbortSignal;
}

const LIMIT_SECONDS = 6 * 3600;

/** What is lost when it crashes was made a moment ago and can be made again. */
const QUICK = {
  fsync: false,
  full_page_writes: false,
  synchronous_commit: 'off',
  wal_level: 'minimal',
  max_wal_senders: 0,
  max_wal_size: '2GB',
  maintenance_work_mem: '128MB',
};

/** True when a server can be made with the programs of this directory. */
export function hasServerPrograms(toolsDirectory: string): boolean {
  return ['initdb', 'postgres'].every((program) => existsSync(join(toolsDirectory, program)));
}

/**
 * Gives `use` an empty server, and removes it and all its files when `use` has ended, also by a failure. What processes
 * that were killed left is removed first. Throws ToolMissing, PermissionDenied, DiskFull, Unhealthy.
 */
export async function withScratchServer<T>(
  options: ScratchServerOptions,
  use: (server: ScratchServer) => Promise<T>,
): Promise<T> {
  const { toolsDirectory, stateDirectory } = options;
  if (!hasServerPrograms(toolsDirectory)) {
    throw new HoldfastError('ToolMissing', `${toolsDirectory} holds no initdb and postgres`, {
      hint: 'Install the server package of PostgreSQL, such as postgresql-15, beside its clients.',
    });
  }
  return withScratchPlace(stateDirectory, (place) => runIn({ toolsDirectory, ...place }, options, use));
}

async function runIn<T>(
  place: Place,
  options: ScratchServerOptions,
  use: (server: ScratchServer) => Promise<T>,
): Promise<T> {
  const { encoding = 'UTF8', locale = 'C' } = options.initdb ?? {};
  const { toolsDirectory } = place;
  const over = new AbortController();
  const limit = setTimeout(end, (options.limitSeconds ?? LIMIT_SECONDS) * 1000);
  const signal = AbortSignal.any([options.signal, over.signal]);
  try {
    await makeCluster(place, [`--encoding=${encoding}`, `--locale=${locale}`], signal);
    const dataDirectory = dataOf(place.directory);
    const settings = { ...QUICK, ...options.settings };
    return await withPrivateServer({ dataDirectory, toolsDirectory, settings, signal }, async (running) => {
      const used = await use({ server: describe(place, running), directory: place.directory, signal });
      signal.throwIfAborted();
      return used;
    });
  } catch (error) {
    // What broke because the server went away says less than why it went.
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(limit);
  }

  function end(): void {
    const words = `The scratch server was in use for more than ${options.limitSeconds ?? LIMIT_SECONDS} s`;
    over.abort(new HoldfastError('Unhealthy', words, { hint: 'Look what is so slow: the disk, or a check.' }));
  }
}

function describe(place: Place, running: PrivateServer): PostgresServer {
  return {
    address: running.socketDirectory,
    port: running.port,
    tls: 'disable',
    maintenanceDatabase: 'postgres',
    tools: { kind: 'host', directory: place.toolsDirectory },
    backup: { user: 'postgres' },
  };
}
