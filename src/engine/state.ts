/** What the embedded engine keeps in its directory: its lock, the version its database belongs to, who runs now. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../failures.ts';
import { engineDirectory } from '../system/home.ts';
import { endProcess, pidOf } from './process.ts';
import { TEMPORAL_SERVER_VERSION } from './tools.ts';

const ORPHAN_LIMIT_MS = 10_000;

/** What `up` writes for the other programs of this machine. */
export interface EngineRecord {
  /** `127.0.0.1:7233` */
  readonly address: string;
  /** Address of the web interface, when there is one. */
  readonly uiUrl?: string;
  /** Address of the page to look at, when there is one. */
  readonly pageUrl?: string;
  /** The process of `up`, as of identityOf. */
  readonly owner: string;
  /** Everything it has started and that must not outlive it. */
  readonly children: readonly string[];
}

function place(name: string): string {
  return path.join(engineDirectory(), name);
}

export function databaseFile(): string {
  return place('temporal.db');
}

export function logFile(name: string): string {
  return place(`${name}.log`);
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function writeJson(file: string, value: unknown): void {
  const scratch = `${file}.${process.pid}`;
  writeFileSync(scratch, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(scratch, file);
}

/** The record of the engine that was started last on this machine, whether it still runs or not. */
export function readEngineRecord(): EngineRecord | undefined {
  const value = readJson(place('engine.json'));
  return isEngineRecord(value) ? value : undefined;
}

function isEngineRecord(value: unknown): value is EngineRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Partial<EngineRecord>;
  return typeof record.address === 'string' && typeof record.owner === 'string' && Array.isArray(record.children);
}

export function writeEngineRecord(record: EngineRecord): void {
  writeJson(place('engine.json'), record);
}

/** One engine at a time in this directory. The kernel frees the lock when its holder dies, however it dies. */
export interface InstanceLock {
  release(): void;
}

/** Undefined when another process holds the lock. */
export function takeInstanceLock(): InstanceLock | undefined {
  // SQLite's exclusive transaction is a record lock of the file system: it works across containers that share it.
  const database = new DatabaseSync(place('lock'), { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked|busy/i.test(error.message)) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}

/**
 * Ends what a predecessor that was killed has left running: only processes that it wrote down itself. Returns their
 * numbers, also of those that had ended already.
 */
export async function endOrphans(): Promise<number[]> {
  const record = readEngineRecord();
  if (record === undefined) return [];
  await Promise.all(record.children.map((child) => endProcess(child, ORPHAN_LIMIT_MS)));
  return record.children.map(pidOf);
}

/**
 * Refuses a database of another server version: it is neither migrated nor readable by it. A database whose first start
 * never completed holds nothing and is begun again.
 */
export function checkDatabaseVersion(): void {
  const database = databaseFile();
  if (!existsSync(database)) {
    rmSync(place('version.json'), { force: true });
    return;
  }
  const version = (readJson(place('version.json')) as { server?: string } | undefined)?.server;
  if (version === undefined) {
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${database}${suffix}`, { force: true });
    return;
  }
  if (version === TEMPORAL_SERVER_VERSION) return;
  throw new HoldfastError(
    'EngineVersion',
    `the engine's database ${database} belongs to Temporal server ${version}, and this Holdfast runs ${TEMPORAL_SERVER_VERSION}`,
    { details: { database, version, wanted: TEMPORAL_SERVER_VERSION } },
  );
}

/** Called when a server has served from the database: from now on it is kept. */
export function recordDatabaseVersion(): void {
  writeJson(place('version.json'), { server: TEMPORAL_SERVER_VERSION });
}
