/** Where the Temporal server's binary is, and which versions of it belong to this Holdfast. */
import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../failures.ts';
import { cacheDirectory } from '../system/cache.ts';

/** The command line that set-up caches, and the server inside it: what a database file was made by. */
export const TEMPORAL_CLI_VERSION = '1.5.1';
export const TEMPORAL_SERVER_VERSION = '1.29.1';

export interface TemporalBinary {
  readonly path: string;
  readonly from: 'HOLDFAST_TEMPORAL' | 'PATH' | 'cache';
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The server version a binary says it contains; undefined when it doesn't run or says nothing. */
export async function serverVersionOf(binary: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(binary, ['--version'], { timeout: 30_000 });
    return /\(Server ([\d.]+)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

/**
 * The binary to start: HOLDFAST_TEMPORAL when set, else `temporal` on PATH when it contains the pinned server, else the
 * cached one. Undefined when there is none. An explicit path that is no program throws BadInput instead of being
 * passed over.
 */
export async function findTemporal(environment: NodeJS.ProcessEnv = process.env): Promise<TemporalBinary | undefined> {
  const explicit = environment['HOLDFAST_TEMPORAL'];
  if (explicit !== undefined && explicit !== '') {
    if (isProgram(explicit)) return { path: path.resolve(explicit), from: 'HOLDFAST_TEMPORAL' };
    throw new HoldfastError('BadInput', `HOLDFAST_TEMPORAL is ${explicit}, which is no program`);
  }
  for (const directory of (environment['PATH'] ?? '').split(path.delimiter)) {
    const candidate = path.join(directory, 'temporal');
    if (directory === '' || !isProgram(candidate)) continue;
    // Another version can't read the database file, so the first that fits is taken.
    if ((await serverVersionOf(candidate)) === TEMPORAL_SERVER_VERSION) return { path: candidate, from: 'PATH' };
  }
  const cached = path.join(cacheDirectory(environment), 'tools', `temporal-${TEMPORAL_CLI_VERSION}`, 'temporal');
  return isProgram(cached) ? { path: cached, from: 'cache' } : undefined;
}
