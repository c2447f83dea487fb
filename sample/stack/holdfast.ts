/**
 * Holdfast as an operator uses it, for the demo, the scenarios and the benchmark: the command line as a child process
 * with a home of its own, and `up` in the background.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argumentsOf, descendantsOf, hasEnded, waitFor, waitForEnd } from './processes.ts';

const ROOT = dirname(dirname(import.meta.dirname));
const CLI = join(ROOT, 'src', 'cli.ts');
const UP_LIMIT_MS = 180_000;
const STOP_LIMIT_MS = 90_000;

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface EngineFile {
  readonly address: string;
  readonly uiUrl?: string;
  readonly pageUrl?: string;
}

export interface Up {
  readonly pid: number;
  readonly address: string;
  readonly uiUrl: string | undefined;
  /** The worker process that captures and restores; undefined between its death and its next life. */
  hostWorkerPid(): number | undefined;
  /** What `up` said so far. */
  output(): string;
  stop(): Promise<void>;
  /** This program may end without it. */
  leaveRunning(): void;
}

export class Holdfast {
  readonly home: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Ends commands that run when it is aborted; never `up`. */
  private readonly signal: AbortSignal | undefined;
  /** Makes a command one of another machine. */
  private readonly within: (command: readonly string[]) => readonly string[];

  constructor(
    home: string,
    environment: Readonly<Record<string, string>> = {},
    signal?: AbortSignal,
    within: (command: readonly string[]) => readonly string[] = (command) => command,
  ) {
    this.home = home;
    this.environment = environment;
    this.signal = signal;
    this.within = within;
  }

  private childEnvironment(): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(TEMPORAL_|HOLDFAST_HOME|HOLDFAST_HOST|VITEST|NODE_ENV)/.test(name),
    );
    return { ...Object.fromEntries(inherited), NO_COLOR: '1', ...this.environment, HOLDFAST_HOME: this.home };
  }

  start(args: readonly string[]): ChildProcess {
    const [program = '', ...rest] = this.within([process.execPath, CLI, ...args]);
    return spawn(program, rest, {
      env: this.childEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(this.signal === undefined ? {} : { signal: this.signal }),
    });
  }

  /** Runs a command to its end, whatever its exit code. */
  async run(...args: readonly string[]): Promise<CommandResult> {
    const child = this.start(args);
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
    child.stderr?.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
    let failure: Error | undefined;
    child.once('error', (error) => (failure = error));
    // Also one that was told to end is waited for: what it had begun it undoes first.
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    if (failure !== undefined) throw failure;
    return { code, stdout, stderr };
  }

  /** Runs a command with --json and returns its document. Throws with what it said when it exits with anything but 0. */
  async ask<T>(...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await this.run(...args, '--json');
    if (code !== 0) throw new Error(`holdfast ${args.join(' ')} exited with ${code ?? 'a signal'}: ${stderr}${stdout}`);
    return JSON.parse(stdout) as T;
  }

  engine(): EngineFile | undefined {
    const file = join(this.home, 'engine', 'engine.json');
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as EngineFile) : undefined;
  }

  /**
   * Resolves when server and workers are at work; nothing runs that was not asked for. It has a process group of its own, so
   * that Ctrl-C spares it.
   */
  up(...args: readonly string[]): Promise<Up> {
    return this.everydayUp('--no-schedules', ...args);
  }

  /** The same with what the system files declare to run by itself. */
  async everydayUp(...args: readonly string[]): Promise<Up> {
    const logFile = join(this.home, 'up.log');
    const log = openSync(logFile, 'a', 0o600);
    const [program = '', ...rest] = this.within([process.execPath, CLI, 'up', ...args]);
    const child = spawn(program, rest, {
      env: this.childEnvironment(),
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    const pid = child.pid;
    if (pid === undefined) throw new Error('holdfast up could not be started');
    const ended = () => child.exitCode !== null || child.signalCode !== null;
    const output = () => readFileSync(logFile, 'utf8').slice(-8_000);
    try {
      const engine = await waitFor('holdfast up to be ready', UP_LIMIT_MS, () => {
        if (ended()) throw new Error(`holdfast up ended: ${output()}`);
        const ready = /^ready /m.test(output()) && hostWorker(pid) !== undefined;
        return Promise.resolve(ready ? this.engine() : undefined);
      });
      return {
        pid,
        address: engine.address,
        uiUrl: engine.uiUrl,
        hostWorkerPid: () => hostWorker(pid),
        output,
        stop: () => stopUp(pid),
        leaveRunning: () => child.unref(),
      };
    } catch (error) {
      await stopUp(pid);
      throw error;
    }
  }
}

/** Ends a running `up` in order; throws, after SIGKILL, when it does not end in time. Harmless when it has ended. */
export async function stopUp(pid: number): Promise<void> {
  if (hasEnded(pid)) return;
  process.kill(pid, 'SIGTERM');
  try {
    await waitForEnd(pid, STOP_LIMIT_MS);
  } catch (error) {
    for (const each of [...descendantsOf(pid), pid]) {
      if (!hasEnded(each)) process.kill(each, 'SIGKILL');
    }
    throw error;
  }
}

function hostWorker(up: number): number | undefined {
  return descendantsOf(up).find((pid) => {
    const words = argumentsOf(pid);
    return words.some((word) => word.endsWith('worker.ts')) && words.includes('host');
  });
}
