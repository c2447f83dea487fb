/**
 * A PostgreSQL server for a moment: made empty, reachable by a Unix socket only, gone afterwards whatever happens. It
 * holds restored data in the clear, so a note in the state directory says where it lies before there is anything.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { readJson, removeDurably, writeDurably } from '../docker/durable-file.ts';
import { isAlive, ownIdentity, parseIdentity, printIdentity } from '../docker/process-identity.ts';
import { HoldfastError } from '../failures.ts';
import type { PostgresServer } from '../system/postgres-types.ts';
import { withPrivateServer, type PrivateServer } from './private-server.ts';
import { appointHeir, dataOf, endServerIn, makeCluster, type Place } from './scratch-process.ts';
import { scratchParent, serverAccount } from './server-account.ts';

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

const PREFIX = 'holdfast-scratch-';
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

const note = z.object({ format: z.literal(1), owner: z.string(), directory: z.string() });

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
  await sweepScratchServers(stateDirectory);
  const account = serverAccount();
  const name = PREFIX + randomBytes(6).toString('hex');
  const place: Place = {
    toolsDirectory,
    directory: join(await scratchParent(stateDirectory, account), name),
    account,
  };
  const notePath = join(notesIn(stateDirectory), `${name}.json`);
  await writeDurably(notePath, { format: 1, owner: printIdentity(ownIdentity()), directory: place.directory });
  const heir = appointHeir(place.directory);
  try {
    await mkdir(place.directory, { mode: 0o700 });
    if (account !== undefined) await chown(place.directory, account.uid, account.gid);
    return await runIn(place, options, use);
  } finally {
    await rm(place.directory, { recursive: true, force: true });
    await removeDurably(notePath);
    heir.kill('SIGKILL');
  }
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

function notesIn(stateDirectory: string): string {
  return join(stateDirectory, 'scratch-servers');
}

/** Ends and removes the scratch servers whose process is dead; those of living processes are left. Repeatable. */
export async function sweepScratchServers(stateDirectory: string): Promise<void> {
  const notes = await readdir(notesIn(stateDirectory)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  for (const file of notes.filter((name) => name.endsWith('.json'))) {
    const path = join(notesIn(stateDirectory), file);
    const found = note.safeParse(await readJson(path));
    if (!found.success) continue;
    const { owner, directory } = found.data;
    const identity = parseIdentity(owner);
    // Nothing is removed that has not a name of ours.
    if (identity === undefined || isAlive(identity) || !basename(directory).startsWith(PREFIX)) continue;
    await endServerIn(directory);
    await rm(directory, { recursive: true, force: true });
    await removeDurably(path);
  }
}
