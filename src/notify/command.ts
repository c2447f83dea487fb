/** A program of the operator's: the event as JSON on its standard input, a few variables, and nothing of ours besides. */
import { spawn } from 'node:child_process';
import { HoldfastError } from '../failures.ts';
import type { Notice } from '../policy/notices.ts';
import { fillTemplate } from '../policy/templates.ts';
import type { CommandChannel } from '../system/notify-types.ts';

/** The worker's own environment may hold secrets, so that little of it is passed on. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'USER'];
/** After being asked to end. */
const MERCY_MS = 2000;

/**
 * Resolves when the program ends with 0. Throws ChannelRefused when it can't be started, ChannelUnreachable for any other
 * end or when it takes too long: a program may well succeed later. Its output is nobody's: it may hold anything.
 */
export async function runCommand(channel: CommandChannel, notice: Notice, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const [program, ...args] = channel.command;
  if (program === undefined) throw new HoldfastError('BadInput', `${channel.name} names no program`);
  const message = channel.template === undefined ? {} : { message: fillTemplate(channel.template, notice) };
  const ended = await run(program, args, {
    input: `${JSON.stringify({ ...notice, ...message })}\n`,
    environment: variablesOf(channel, notice),
    limitMs: channel.timeoutSeconds * 1000,
    signal,
  });
  signal.throwIfAborted();
  if (ended.exitCode === 0) return;
  if (ended.notStarted !== undefined) {
    throw new HoldfastError('ChannelRefused', `${channel.name}: ${program} could not be started (${ended.notStarted})`);
  }
  const how = ended.late
    ? `took longer than ${channel.timeoutSeconds} s`
    : `ended with ${ended.exitCode === null ? (ended.killedBy ?? 'a signal') : `exit code ${ended.exitCode}`}`;
  throw new HoldfastError('ChannelUnreachable', `${channel.name}: ${program} ${how}`);
}

function variablesOf(channel: CommandChannel, notice: Notice): NodeJS.ProcessEnv {
  const passed = PASSED_ON.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(passed),
    HOLDFAST_CHANNEL: channel.name,
    HOLDFAST_EVENT_ID: notice.id,
    HOLDFAST_EVENT: notice.type,
    HOLDFAST_EVENT_AT: notice.at,
    HOLDFAST_SYSTEM: notice.system,
    HOLDFAST_SEVERITY: notice.severity,
    HOLDFAST_TITLE: notice.title,
  };
}

interface RunOptions {
  readonly input: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

interface Ended {
  readonly exitCode: number | null;
  readonly killedBy?: string;
  readonly notStarted?: string;
  readonly late: boolean;
}

/** In a process group of its own, all of which ends when its time is over; what can't be ended is left alone. */
function run(program: string, args: readonly string[], options: RunOptions): Promise<Ended> {
  return new Promise((resolve) => {
    let late = false;
    let stopped = false;
    let killing: NodeJS.Timeout | undefined;
    const child = spawn(program, args, {
      env: options.environment,
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    const settle = (ended: Omit<Ended, 'late'>): void => {
      // Whatever it has started and did not end when it was asked to.
      if (stopped) endGroup(child.pid, 'SIGKILL');
      clearTimeout(limit);
      clearTimeout(killing);
      options.signal.removeEventListener('abort', stop);
      resolve({ ...ended, late });
    };
    const stop = (): void => {
      stopped = true;
      endGroup(child.pid, 'SIGTERM');
      killing = setTimeout(() => settle({ exitCode: null, killedBy: 'SIGKILL' }), MERCY_MS);
    };
    const limit = setTimeout(() => {
      late = true;
      stop();
    }, options.limitMs);
    options.signal.addEventListener('abort', stop, { once: true });
    child.once('error', (error: NodeJS.ErrnoException) =>
      settle({ exitCode: null, notStarted: error.code ?? 'unknown error' }),
    );
    child.once('exit', (exitCode, killedBy) => settle({ exitCode, ...(killedBy === null ? {} : { killedBy }) }));
    // A program that does not read its input is free to.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input);
  });
}

function endGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // It has ended, or runs as somebody else: thrown from a timer that would end this process instead.
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
