/** A child process that is started again when it dies, with growing pauses, until it is stopped. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { keepShort } from './log-files.ts';
import { identityOf } from './process.ts';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** Who runs this long has started well: its death is a new trouble and no reason to wait. */
const HEALTHY_AFTER_MS = 5_000;
const LOG_LOOK_MS = 30_000;

export interface ChildSpec {
  /** For people: `server`, `worker`, `worker host-a`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Its output, appended; the previous one is kept when it grows too long. */
  readonly logFile: string;
  /** How long it may take to end by itself after SIGTERM. */
  readonly stopLimitMs: number;
}

export interface ChildEvent {
  readonly name: string;
  readonly what: 'started' | 'died' | 'stopped';
  readonly pid?: number;
  /** Of a death: how, and how long until the next start. */
  readonly detail?: string;
}

export interface Supervised {
  readonly name: string;
  /** The running process, as of identityOf; undefined between a death and the next start. */
  identity(): string | undefined;
  /** How often it has died by itself. */
  deaths(): number;
  /** Ends it in order, at last by SIGKILL, and starts it no more. */
  stop(): Promise<void>;
}

function openLog(file: string): number {
  keepShort(file);
  return openSync(file, 'a', 0o600);
}

function startChild(spec: ChildSpec): ChildProcess {
  const log = openLog(spec.logFile);
  try {
    // A group of its own: Ctrl-C at the terminal reaches the supervisor only, which stops its children in order.
    return spawn(spec.command, spec.args, { env: spec.env, stdio: ['ignore', log, log], detached: true });
  } finally {
    closeSync(log);
  }
}

/** How long to wait before the next start: doubled for each death in a row. */
export function restartPauseMs(deathsInARow: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, deathsInARow - 1), LONGEST_PAUSE_MS);
}

/** Starts it and keeps it running. `onEvent` is told of every start and death. */
export function supervise(spec: ChildSpec, onEvent: (event: ChildEvent) => void): Supervised {
  let child: ChildProcess | undefined;
  let identity: string | undefined;
  let ended: Promise<void> = Promise.resolve();
  let pause: NodeJS.Timeout | undefined;
  let deathsInARow = 0;
  let deaths = 0;
  let stopping = false;

  const start = (): void => {
    const startedAt = Date.now();
    const started = startChild(spec);
    child = started;
    identity = started.pid === undefined ? undefined : identityOf(started.pid);
    ended = new Promise((resolve) => {
      const end = (how: string): void => {
        if (child !== started) return;
        child = undefined;
        identity = undefined;
        resolve();
        if (!stopping) startAgain(started.pid, how, Date.now() - startedAt);
      };
      started.once('error', (error) => end(error.message));
      started.once('exit', (code, signal) => end(signal ?? `exit code ${code ?? 'unknown'}`));
    });
    onEvent({ name: spec.name, what: 'started', ...(started.pid === undefined ? {} : { pid: started.pid }) });
  };

  const startAgain = (pid: number | undefined, how: string, livedMs: number): void => {
    deathsInARow = livedMs >= HEALTHY_AFTER_MS ? 1 : deathsInARow + 1;
    deaths += 1;
    const pauseMs = restartPauseMs(deathsInARow);
    const detail = `${how}; started again in ${pauseMs / 1000} s`;
    onEvent({ name: spec.name, what: 'died', detail, ...(pid === undefined ? {} : { pid }) });
    pause = setTimeout(start, pauseMs);
  };

  const lookAtLog = setInterval(() => keepShort(spec.logFile), LOG_LOOK_MS);
  lookAtLog.unref();

  const stop = async (): Promise<void> => {
    stopping = true;
    clearInterval(lookAtLog);
    clearTimeout(pause);
    const last = child;
    if (last === undefined) return;
    last.kill('SIGTERM');
    const kill = setTimeout(() => last.kill('SIGKILL'), spec.stopLimitMs);
    await ended;
    clearTimeout(kill);
    onEvent({ name: spec.name, what: 'stopped' });
  };

  start();
  return { name: spec.name, identity: () => identity, deaths: () => deaths, stop };
}
