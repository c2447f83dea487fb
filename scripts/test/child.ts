/** Child processes of the runners: they end with their parent, and what they printed is kept when wanted. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { setPriority } from 'node:os';

const running = new Set<ChildProcess>();
let interrupted = false;

/** True once somebody asked this program to end. */
export function wasInterrupted(): boolean {
  return interrupted;
}

/** Passes an interruption on to the children, so that the program ends by its own clean-up instead of leaving them. */
export function endChildrenOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      interrupted = true;
      for (const child of running) child.kill(signal === 'SIGINT' ? 'SIGTERM' : signal);
    });
  }
}

export interface ChildResult {
  readonly code: number;
  readonly output: string;
}

export interface ChildOptions {
  /** Passes on what it prints, in pieces as it prints them, so that several may do so at once; otherwise it is kept. */
  readonly show: boolean;
  /** Takes only the processor time that others leave. */
  readonly background?: boolean;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

const BACKGROUND_PRIORITY = 10;

/**
 * Runs a program to its end; what it printed is returned unless it was shown. Never throws for an exit code; a program
 * that cannot be started or died of a signal has code 127 or 128.
 */
export async function runChild(command: string, args: readonly string[], options: ChildOptions): Promise<ChildResult> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  if (options.background === true && child.pid !== undefined) setPriority(child.pid, BACKGROUND_PRIORITY);
  const output: Buffer[] = [];
  const keep = (data: Buffer): unknown => output.push(data);
  child.stdout.on('data', options.show ? (data: Buffer) => process.stdout.write(data) : keep);
  child.stderr.on('data', options.show ? (data: Buffer) => process.stderr.write(data) : keep);
  const code = await new Promise<number>((resolve) => {
    child.on('error', (error) => {
      output.push(Buffer.from(error.message));
      resolve(127);
    });
    child.on('close', (exitCode) => resolve(exitCode ?? 128));
  });
  running.delete(child);
  return { code, output: Buffer.concat(output).toString('utf8') };
}
