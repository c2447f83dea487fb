/** Finds the guard of a state directory, or starts it, and keeps it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { lockAddress } from '../docker/host-lock.ts';
import type { GuardLease } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import { guardName, parseGreeting } from './wire.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const START_LIMIT_MS = 60_000;

/**
 * Resolves with a lease on a guard that has said that it is there; while the lease is open that guard does not end, and
 * when it is killed another one is started. Starting takes a few hundred ms: take the lease before anything is frozen.
 */
export async function ensureGuard(stateDirectory: string, signal: AbortSignal): Promise<GuardLease> {
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  let current = await reach(stateDirectory, signal);
  let closed = false;
  const keep = (): void => {
    current.socket.once('close', () => {
      if (!closed) void renew();
    });
  };
  const renew = async (): Promise<void> => {
    try {
      // Not the caller's signal: a freeze that is being released after an abort is still guarded.
      const next = await reach(stateDirectory, AbortSignal.timeout(START_LIMIT_MS));
      current = next;
      if (closed) next.socket.destroy();
      else keep();
    } catch {
      // No guard could be started. The worker's own limit and release remain; the next freeze asks again and fails.
    }
  };
  keep();
  return {
    get pid() {
      return current.pid;
    },
    close() {
      closed = true;
      current.socket.destroy();
    },
  };
}

async function reach(stateDirectory: string, signal: AbortSignal): Promise<{ pid: number; socket: Socket }> {
  const limitMs = performance.now() + START_LIMIT_MS;
  let startedAtMs = -Infinity;
  for (let attempt = 0; performance.now() < limitMs; attempt++) {
    signal.throwIfAborted();
    const name = await guardName(stateDirectory);
    if (name === undefined) throw new HoldfastError('Internal', `${stateDirectory} was removed`);
    const found = await greet(name);
    if (found !== undefined) return found;
    // A guard that was just about to end does not answer; one that is starting needs its time.
    if (performance.now() - startedAtMs > 5000) {
      startedAtMs = performance.now();
      await start(stateDirectory);
    }
    await sleep(Math.min(10 * (attempt + 1), 50), undefined, { signal });
  }
  throw new HoldfastError('Internal', `No guard answered for ${stateDirectory} within ${START_LIMIT_MS / 1000} s`, {
    hint: `Look at ${join(stateDirectory, 'guard.log')}; nothing was frozen.`,
  });
}

/** Undefined when nobody answers, or somebody who closes before greeting. */
function greet(name: string): Promise<{ pid: number; socket: Socket } | undefined> {
  return new Promise((resolve) => {
    const socket = connect(lockAddress(name));
    let said = '';
    const give = (pid: number | undefined): void => {
      socket.removeAllListeners();
      socket.setTimeout(0);
      // A guard that is killed later is noticed by 'close'; its error says nothing more.
      socket.on('error', () => undefined);
      if (pid === undefined) socket.destroy();
      else socket.resume().unref();
      resolve(pid === undefined ? undefined : { pid, socket });
    };
    socket.setEncoding('utf8');
    socket.setTimeout(5000, () => give(undefined));
    socket.on('error', () => give(undefined));
    socket.on('close', () => give(undefined));
    socket.on('data', (text: string) => {
      said += text;
      const pid = parseGreeting(said);
      if (pid !== undefined) give(pid);
    });
  });
}

/** Its own session, so that neither the worker's death nor its terminal takes it along. */
async function start(stateDirectory: string): Promise<void> {
  const log = openSync(join(stateDirectory, 'guard.log'), 'a', 0o600);
  try {
    const child = spawn(process.execPath, [MAIN, stateDirectory], {
      detached: true,
      cwd: '/',
      stdio: ['ignore', log, log],
      env: guardEnvironment(),
    });
    child.unref();
    await once(child, 'spawn');
  } catch (error) {
    throw new HoldfastError('Internal', `The guard could not be started: ${String(error)}`, { cause: error });
  } finally {
    closeSync(log);
  }
}

/** Only what it needs: the worker's environment may hold secrets. */
function guardEnvironment(): NodeJS.ProcessEnv {
  const names = /^(PATH|HOME|LANG|TZ|TMPDIR|DOCKER_.*|HOLDFAST_GUARD_.*)$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => names.test(name)));
}
