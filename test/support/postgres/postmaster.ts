/** One running postmaster: its start, its orderly end, and its death with all its children. */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { descendantsOf } from '../../../sample/stack/processes.ts';
import { identityOf, signalProcess, waitForEnd } from '../../../src/engine/process.ts';
import { pidFile, saysReady } from '../../../src/postgres/pid-file.ts';
import { serverAccount } from './account.ts';

const run = promisify(execFile);
const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 60_000;
const POLL_MS = 25;

/** How PostgreSQL calls its ways to stop: clients asked to go, clients cut, no checkpoint (recovery at the next start). */
export type StopMode = 'smart' | 'fast' | 'immediate';
const SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

export interface Postmaster {
  readonly pid: number;
  isRunning(): boolean;
  /** Waits for its end; throws when it takes longer than a minute. */
  stop(mode: StopMode): Promise<void>;
  /** SIGKILL to it and every descendant, none of which can start another one meanwhile. */
  kill(): Promise<void>;
}

/** Undefined when it ended by itself before it was ready, of which the log says why. */
export async function startPostmaster(bin: string, data: string, log: string): Promise<Postmaster | undefined> {
  const output = openSync(log, 'a');
  const child = spawn(join(bin, 'postgres'), ['-D', data], {
    ...serverAccount(),
    cwd: '/',
    // A group of its own: Ctrl-C ends the test, which then stops the server.
    detached: true,
    env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TZ: 'UTC' },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  child.unref();
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  if (child.pid === undefined || !(await becomesReady(child, child.pid, data))) {
    await ended;
    return undefined;
  }
  const { pid } = child;
  return {
    pid,
    isRunning: () => isRunning(child),
    async stop(mode) {
      if (!isRunning(child)) return;
      child.kill(SIGNALS[mode]);
      if (await within(ended, STOP_LIMIT_MS)) return;
      throw new Error(`PostgreSQL ${pid} did not stop (${mode}) within ${STOP_LIMIT_MS / 1000} s`);
    },
    async kill() {
      if (!isRunning(child)) return;
      const segment = sharedMemoryOf(data);
      child.kill('SIGSTOP');
      const family = descendantsOf(pid).map((each) => identityOf(each));
      child.kill('SIGKILL');
      const alive = family.filter((each) => each !== undefined);
      for (const each of alive) signalProcess(each, 'SIGKILL');
      await ended;
      for (const each of alive) await waitForEnd(each, STOP_LIMIT_MS);
      if (segment !== undefined) await removeSharedMemory(segment);
    },
  };
}

/** The last line of postmaster.pid says "ready" (or "standby" where no reads are allowed yet). */
async function becomesReady(child: ChildProcess, pid: number, data: string): Promise<boolean> {
  const end = Date.now() + START_LIMIT_MS;
  while (Date.now() < end && isRunning(child)) {
    const lines = await pidFile(data);
    if (lines[0] === String(pid) && saysReady(lines)) return true;
    await delay(POLL_MS);
  }
  child.kill('SIGQUIT');
  return false;
}

/** The System V segment that keeps two postmasters off one directory outlives a SIGKILL; its number is on line 7. */
function sharedMemoryOf(data: string): string | undefined {
  const line = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[6] ?? '';
  return line.trim().split(/\s+/)[1];
}

async function removeSharedMemory(segment: string): Promise<void> {
  await run('ipcrm', ['-m', segment]).catch(async (error: unknown) => {
    const { stdout } = await run('ipcs', ['-m']);
    if (stdout.split('\n').some((line) => line.split(/\s+/)[1] === segment)) throw error;
  });
}

async function within(promise: Promise<void>, limitMs: number): Promise<boolean> {
  const controller = new AbortController();
  const limit = delay(limitMs, false, { signal: controller.signal }).catch(() => false);
  const done = await Promise.race([promise.then(() => true), limit]);
  controller.abort();
  return done;
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/**
 * A test process that is killed cannot tidy up: a shell that sees its end by a closed pipe stops every server below
 * `base` then, asking the kernel whose process it is, and removes the directory.
 */
export function appointHeir(base: string): ChildProcess {
  const script = `cat > /dev/null
    for file in "$1"/*/postmaster.pid; do
      pid=$(head -n 1 "$file" 2>/dev/null) || continue
      [ "$(readlink "/proc/$pid/cwd")" = "\${file%/postmaster.pid}" ] || continue
      kill -QUIT "$pid"
      for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do [ -d "/proc/$pid" ] && sleep 1; done
    done
    rm -rf "$1"`;
  const heir = spawn('sh', ['-c', script, 'sh', base], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  heir.on('error', () => undefined);
  heir.unref();
  return heir;
}
