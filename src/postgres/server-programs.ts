/** Where the programs of one major version of the server are on this host. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../failures.ts';
import { baseEnvironment, parseRelease } from './host-tools.ts';

const run = promisify(execFile);
const LIMIT_MS = 20_000;

/**
 * The directory with `postgres` of exactly this major version, since a data directory belongs to one: the one that is
 * named, else where Debian's and PostgreSQL's packages put it, else on the search path. Throws ToolMissing.
 */
export async function serverPrograms(major: number, named?: string): Promise<string> {
  const candidates = named === undefined ? placesOf(major) : [named, ...placesOf(major)];
  for (const directory of candidates) {
    if (existsSync(join(directory, 'postgres')) && (await majorIn(directory)) === major) return directory;
  }
  throw new HoldfastError(
    'ToolMissing',
    `There is no server of PostgreSQL ${major} on this host (${candidates.join(', ')})`,
    {
      hint: `Install PostgreSQL ${major} on this host: recovery is the work of a server of the same major version.`,
    },
  );
}

function placesOf(major: number): string[] {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((each) => isAbsolute(each));
  return [`/usr/lib/postgresql/${major}/bin`, `/usr/pgsql-${major}/bin`, '/usr/local/pgsql/bin', ...path];
}

async function majorIn(directory: string): Promise<number | undefined> {
  try {
    const { stdout } = await run(join(directory, 'postgres'), ['--version'], {
      timeout: LIMIT_MS,
      env: baseEnvironment(),
    });
    return parseRelease(stdout);
  } catch {
    // What can't be run is not a server that can be used; the next place may have one.
    return undefined;
  }
}
