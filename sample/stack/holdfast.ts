/**
 * Holdfast as an operator uses it, for the demo, the scenarios and the benchmark: the command line as a child process
 * with a home of its own, and `up` in the background.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argumentsOf, descendantsOf, waitFor, waitForEnd } from './processes.ts';

const ROOT = dirname(dirname(import.meta.dirname));
const CLI = join(ROOT, 'src', 'cli.ts');
const UP_LIMIT_MS = 180_000;

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface EngineFile {
  readonly address: string;
  readonly uiUrl?: string;
}

export interface Up {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly address: string;
  readonly uiUrl: string | undefined;
  /** The worker process that captures and restores; undefined between its death and its next life. */
  hostWorkerPid(): number | undefined;
  /** What `up` said so far. */
  output(): string;
  /** Ends it in order; SIGKILL only after the limit. */
  stop(): Promise<void>;
}

export class Holdfast {
  readonly home: string;
  readonly environment: Readonly<Record<string, string>>;

  constructor(home: string, environment: Readonly<Record<string, string>> = {}) {
    this.home = home;
    this.environment = environment;
  }

  private childEnvironment(): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(TEMPORAL_|HOLDFAST_HOME|HOLDFAST_HOST|VITEST|NODE_ENV)/.test(name),
    );
    return { ...Object.fromEntries(inherited), NO_COLOR: '1', ...this.environment, HOLDFAST_HOME: this.home };
  }

  start(args: readonly string[]): ChildProcess {
    return spawn(process.execPath, [CLI, ...args], { env: this.childEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Runs a command to its end, whatever its exit code. */
  async run(...args: readonly string[]): Promise<CommandResult> {
    const child = this.start(args);
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
    child.stderr?.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
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

  /** Resolves when server and workers are at work. */
  async up(...args: readonly string[]): Promise<Up> {
    const child = this.start(['up', ...args]);
    const pid = child.pid;
    if (pid === undefined) throw new Error('holdfast up could not be started');
    let output = '';
    const keep = (bytes: Buffer): void => {
      output = (output + bytes.toString()).slice(-20_000);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    const stop = async (): Promise<void> => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      try {
        await waitForEnd(pid, 90_000);
      } catch {
        for (const each of [...descendantsOf(pid), pid]) process.kill(each, 'SIGKILL');
        throw new Error(`holdfast up did not end when asked: ${output}`);
      }
    };
    try {
      const ended = () => child.exitCode !== null || child.signalCode !== null;
      const engine = await waitFor('holdfast up', UP_LIMIT_MS, async () => {
        if (ended()) throw new Error(`holdfast up ended: ${output}`);
        const status = await this.run('status', '--json');
        return status.code === 0 && hostWorker(pid) !== undefined ? this.engine() : undefined;
      });
      return {
        process: child,
        pid,
        address: engine.address,
        uiUrl: engine.uiUrl,
        hostWorkerPid: () => hostWorker(pid),
        output: () => output,
        stop,
      };
    } catch (error) {
      await stop();
      throw error;
    }
  }
}

function hostWorker(up: number): number | undefined {
  return descendantsOf(up).find((pid) => {
    const words = argumentsOf(pid);
    return words.some((word) => word.endsWith('worker.ts')) && words.includes('host');
  });
}
