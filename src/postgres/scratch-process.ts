/** The files of a scratch cluster: their making, and what removes them when their worker is dead. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { HoldfastError } from '../failures.ts';
import { pidFile } from './pid-file.ts';
import { removeSockets } from './private-server.ts';
import type { ServerAccount } from './server-account.ts';

const run = promisify(execFile);
const INITDB_LIMIT_MS = 300_000;
const STOP_LIMIT_MS = 30_000;
const POLL_MS = 50;
const TAIL = 1500;

/** Messages are read by programs, so they come in one language. */
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

export interface Place {
  readonly toolsDirectory: string;
  /** Holds `data`; owned by the account. */
  readonly directory: string;
  readonly account: ServerAccount | undefined;
}

export function dataOf(directory: string): string {
  return join(directory, 'data');
}

/** Throws DiskFull, Unhealthy with what initdb said, the signal's reason. */
export async function makeCluster(place: Place, args: readonly string[], signal: AbortSignal): Promise<void> {
  const all = ['--username=postgres', '--auth=trust', '--no-sync', ...args, '-D', dataOf(place.directory)];
  try {
    await run(join(place.toolsDirectory, 'initdb'), all, {
      ...place.account,
      cwd: '/',
      env: ENVIRONMENT,
      signal,
      timeout: INITDB_LIMIT_MS,
      maxBuffer: 16 << 20,
    });
  } catch (cause) {
    signal.throwIfAborted();
    const said = ((cause as { stderr?: string }).stderr ?? String(cause)).trim().slice(-TAIL);
    if (said.includes('No space left on device')) throw new HoldfastError('DiskFull', `initdb: ${said}`, { cause });
    throw new HoldfastError('Unhealthy', `initdb failed: ${said}`, { cause, hint: "The message is initdb's own." });
  }
}

/** Ends the server that runs in this directory, whoever started it. Another process that got its number is left alone. */
export async function endServerIn(directory: string): Promise<void> {
  const data = dataOf(directory);
  const [first, , , , sockets] = await pidFile(data);
  const pid = Number(first);
  if (!Number.isInteger(pid) || pid <= 1) return;
  await endServer(pid, data);
  await removeSockets(sockets);
}

async function endServer(pid: number, data: string): Promise<void> {
  for (const signal of ['SIGQUIT', 'SIGKILL'] as const) {
    if (!worksIn(pid, data)) return;
    process.kill(pid, signal);
    const end = performance.now() + STOP_LIMIT_MS;
    while (worksIn(pid, data) && performance.now() < end) await sleep(POLL_MS);
  }
}

/** A postmaster's working directory is its data directory. */
function worksIn(pid: number, data: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === data;
  } catch {
    return false;
  }
}

/**
 * A worker that is killed can't tidy up: this shell sees its end by a closed pipe, ends the server, and removes the
 * directory. To be killed when that has been done already.
 */
export function appointHeir(directory: string): ChildProcess {
  const script = `cat > /dev/null
    pid=$(head -n 1 "$1/data/postmaster.pid" 2> /dev/null)
    if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ]; then
      kill -QUIT "$pid"
      for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do [ -d "/proc/$pid" ] && sleep 1; done
      [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ] && kill -KILL "$pid"
    fi
    rm -rf "$1"`;
  const heir = spawn('sh', ['-c', script, 'sh', directory], {
    cwd: '/',
    detached: true,
    env: ENVIRONMENT,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without an heir the next use sweeps; its pipe breaks when it is ended.
  heir.on('error', () => undefined);
  heir.stdin.on('error', () => undefined);
  heir.unref();
  return heir;
}
