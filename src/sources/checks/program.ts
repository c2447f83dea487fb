/** Programs that judge data, as children that never outlive their reason. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { access, constants } from 'node:fs/promises';

import { HoldfastError } from '../../failures.ts';

export interface ProgramOutcome {
  /** Undefined when it was killed: by its time limit, or by a signal of its own making. */
  readonly exitCode: number | undefined;
  readonly killedBy: string | undefined;
  readonly timedOut: boolean;
  /** Both streams, the last 64 KiB. */
  readonly output: string;
}

export interface ProgramLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly cwd?: string;
  /** Beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
}

const OUTPUT_LIMIT = 64 * 1024;
const SETPRIV = '/usr/bin/setpriv';

/**
 * Runs to the end. Aborting kills it with everything it started and rejects with the signal's reason; so does the time
 * limit, except that it resolves with `timedOut`. Throws SourceMissing when there is no such program.
 */
export async function runProgram(command: readonly string[], limits: ProgramLimits): Promise<ProgramOutcome> {
  const program = await startProgram(command, limits);
  const timer = setTimeout(() => {
    program.kill();
  }, limits.timeoutMs);
  const started = performance.now();
  try {
    const end = await program.ended;
    limits.signal.throwIfAborted();
    return { ...end, timedOut: end.killedBy === 'SIGKILL' && performance.now() - started >= limits.timeoutMs };
  } finally {
    clearTimeout(timer);
    program.kill();
  }
}

export interface RunningProgram {
  readonly ended: Promise<{ exitCode: number | undefined; killedBy: string | undefined; output: string }>;
  /** What it said so far, the last 64 KiB. */
  output(): string;
  /** Kills it and everything it started; a repeat does nothing. */
  kill(): void;
}

/** Starts in a process group of its own; `limits.timeoutMs` is for the caller to keep. Aborting kills it. */
export async function startProgram(command: readonly string[], limits: ProgramLimits): Promise<RunningProgram> {
  const [program, ...args] = command;
  if (program === undefined) throw new HoldfastError('BadInput', 'A check without a command');
  limits.signal.throwIfAborted();
  // A worker that is killed cannot kill its children: the kernel does it, where util-linux is installed.
  const wrapper = (await exists(SETPRIV)) ? [SETPRIV, '--pdeathsig', 'KILL', '--'] : [];
  const [file = program, ...all] = [...wrapper, program, ...args];
  const child = spawn(file, all, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(limits.cwd === undefined ? {} : { cwd: limits.cwd }),
    ...(limits.env === undefined ? {} : { env: { ...process.env, ...limits.env } }),
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_LIMIT);
    });
  }
  const kill = (): void => {
    killGroup(child);
  };
  limits.signal.addEventListener('abort', kill, { once: true });
  const ended = new Promise<{ exitCode: number | undefined; killedBy: string | undefined; output: string }>(
    (resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        reject(new HoldfastError('SourceMissing', `Could not run ${program}: ${error.message}`, { cause: error }));
      });
      child.once('close', (exitCode, killedBy) => {
        limits.signal.removeEventListener('abort', kill);
        // What it started may still run.
        killGroup(child);
        const absent = exitCode === 127 && /^setpriv: failed to execute.*$/m.exec(output)?.[0];
        if (typeof absent === 'string') {
          reject(new HoldfastError('SourceMissing', `Could not run ${program}: ${absent}`));
          return;
        }
        resolve({ exitCode: exitCode ?? undefined, killedBy: killedBy ?? undefined, output });
      });
    },
  );
  // The caller may look later; a rejection before that is no crash.
  ended.catch(() => undefined);
  return { ended, output: () => output, kill };
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
