/** Child processes of the runners: they end with their parent, and what they printed is kept when wanted. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

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

/**
 * Runs a program to its end. `show` lets it use this terminal; otherwise its output is kept and returned. Never throws
 * for an exit code; a program that cannot be started or died of a signal has code 127 or 128.
 */
export async function runChild(
  command: string,
  args: readonly string[],
  options: { show: boolean; cwd?: string; env?: NodeJS.ProcessEnv },
): Promise<ChildResult> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: options.show ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const output: Buffer[] = [];
  child.stdout?.on('data', (data: Buffer) => output.push(data));
  child.stderr?.on('data', (data: Buffer) => output.push(data));
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
