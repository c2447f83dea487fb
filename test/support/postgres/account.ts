/** PostgreSQL refuses to run as root: then its programs run as the account `postgres` of the Debian package. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PACKAGES = '/usr/lib/postgresql';
const TOOL_LIMIT_MS = 120_000;

/** Numbers for spawn; undefined when the tests don't run as root, and the server runs as who runs them. */
export type Account = Readonly<{ uid: number; gid: number }> | undefined;

/** The directory of the programs of one major version, by HOLDFAST_POSTGRES_BIN or where Debian keeps them. */
export function postgresBin(major = 15): string {
  const named = process.env['HOLDFAST_POSTGRES_BIN'];
  const directory = named ?? join(PACKAGES, String(major), 'bin');
  if (existsSync(join(directory, 'initdb')) && existsSync(join(directory, 'pg_basebackup'))) return directory;
  throw new Error(
    `These tests need PostgreSQL ${major} with all its tools; ${directory} has none. Run \`npm run setup -- test\`.`,
  );
}

/** The major versions whose programs are installed, oldest first. */
export function postgresMajors(): number[] {
  if (!existsSync(PACKAGES)) return [];
  const found = readdirSync(PACKAGES).filter((name) => existsSync(join(PACKAGES, name, 'bin/initdb')));
  return found.map(Number).sort((a, b) => a - b);
}

export function serverAccount(): Account {
  if (process.getuid?.() !== 0) return undefined;
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === 'postgres');
  const [, , uid, gid] = entry ?? [];
  if (uid === undefined || gid === undefined) {
    throw new Error('As root these tests need the account `postgres`; `npm run setup -- test` installs its package.');
  }
  return { uid: Number(uid), gid: Number(gid) };
}

/** Runs one of PostgreSQL's programs as the server's account, and returns what it printed. */
export async function runAsServer(
  program: string,
  args: readonly string[],
  options: { env?: Readonly<Record<string, string>>; cwd?: string } = {},
): Promise<string> {
  const { stdout } = await run(program, [...args], {
    ...serverAccount(),
    cwd: options.cwd ?? '/',
    env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TZ: 'UTC', ...options.env },
    timeout: TOOL_LIMIT_MS,
    maxBuffer: 64 << 20,
  });
  return stdout;
}

/** Throws with the directory that the server's account could not pass through. */
export function assertTraversable(directory: string): void {
  if (process.getuid?.() !== 0) return;
  for (let at = directory; at !== '/'; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) {
      throw new Error(
        `The account of PostgreSQL cannot pass through ${at}; set TMPDIR to a place everybody may enter.`,
      );
    }
  }
}
