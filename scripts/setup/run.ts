/** Programs that set-up runs: output kept for the error message, network failures tried again. */
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from './say.ts';

const LINES_SHOWN = 15;

/** Runs a program to its end and returns its standard output; throws with the last lines of what it printed. */
export async function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
): Promise<string> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs,
  });
  const standard: string[] = [];
  const everything: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    standard.push(text);
    everything.push(text);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => everything.push(text));
  const failure = await new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code === 0 ? undefined : `exit ${code ?? signal ?? 'unknown'}`));
  });
  if (failure === undefined) return standard.join('');
  const tail = everything.join('').trimEnd().split('\n').slice(-LINES_SHOWN).join('\n');
  throw new Error(`${command} ${args.join(' ')} failed (${failure})\n${tail}`);
}

const RETRY_DELAYS_MS = [2_000, 10_000];

/** Tries work that needs the network three times; the last failure is the one that counts. */
export async function withRetries<T>(what: string, work: () => Promise<T>): Promise<T> {
  for (const delayMs of RETRY_DELAYS_MS) {
    try {
      return await work();
    } catch (error) {
      const [reason] = String(error instanceof Error ? error.message : error).split('\n');
      say(`  ${what} failed (${reason ?? ''}); trying again in ${delayMs / 1000} s`);
      await sleep(delayMs);
    }
  }
  return work();
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Where a program lies: on PATH, or where Debian keeps those of the administrator. */
export function findProgram(name: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/sbin', '/usr/local/go/bin'];
  return directories
    .filter((directory) => directory !== '')
    .map((directory) => path.join(directory, name))
    .find(isExecutable);
}
