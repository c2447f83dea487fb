/**
 * What a command cost: wall time until its writes are synced, CPU seconds of it and of all its children, and its peak
 * memory. CPU comes from the shell's `times`, which counts every descendant that was waited for; memory from the
 * kernel's high-water mark, read while the processes live.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { descendantsOf } from '../../sample/stack/processes.ts';

export interface Measured {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

export interface Command {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  /** Its filesystem is synced before the clock stops. */
  readonly syncPath: string;
}

const SAMPLE_EVERY_MS = 20;
const TICKS_PER_SECOND = 100;

/** `0m1.234s` as seconds. */
export function shellSeconds(text: string): number {
  const match = /^(\d+)m([\d.]+)s$/.exec(text);
  if (match === null) throw new Error(`not a time of the shell: ${text}`);
  return Number(match[1]) * 60 + Number(match[2]);
}

/** User and system time of all children, from the second line of `times`. */
export function childSeconds(times: string): number {
  const line = times.trim().split('\n').at(-1) ?? '';
  return line.split(' ').reduce((sum, part) => sum + shellSeconds(part), 0);
}

function statusField(pid: number, field: string): number {
  try {
    const line = readFileSync(`/proc/${pid}/status`, 'utf8')
      .split('\n')
      .find((text) => text.startsWith(`${field}:`));
    return Number(/\d+/.exec(line ?? '')?.[0] ?? 0) / 1024;
  } catch {
    // The process has ended; what was seen before counts.
    return 0;
  }
}

/** CPU seconds of one living process with its threads and the children it has waited for. */
export function processCpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND;
}

export function peakMiB(pid: number): number {
  return statusField(pid, 'VmHWM');
}

/** From here on the high-water mark counts anew. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Throws with the command's last output when it fails. */
export async function measure(wanted: Command): Promise<Measured> {
  const script = '"${@:2}"; code=$?; sync -f "$1"; times >&3; exit $code';
  const started = performance.now();
  const shell = spawn('bash', ['-c', script, 'bench', wanted.syncPath, ...wanted.command], {
    cwd: wanted.directory,
    env: { ...process.env, ...wanted.environment },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  let output = '';
  let times = '';
  const keep = (bytes: Buffer): void => {
    output = (output + bytes.toString()).slice(-4_000);
  };
  shell.stdout?.on('data', keep);
  shell.stderr?.on('data', keep);
  shell.stdio[3]?.on('data', (bytes: Buffer) => {
    times += bytes.toString();
  });
  const pid = shell.pid;
  let peak = 0;
  const timer = setInterval(() => {
    if (pid === undefined) return;
    peak = Math.max(
      peak,
      descendantsOf(pid).reduce((sum, child) => sum + statusField(child, 'VmHWM'), 0),
    );
  }, SAMPLE_EVERY_MS);
  const code = await new Promise<number | null>((resolve, reject) => {
    shell.once('error', reject).once('close', resolve);
  });
  clearInterval(timer);
  const wallSeconds = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(`${wanted.command.join(' ')} ended with ${code ?? 'a signal'}: ${output}`);
  return { wallSeconds, cpuSeconds: childSeconds(times), peakMiB: peak };
}

/** Sum of the sizes of all files below, in bytes; directories themselves are not counted. */
export async function treeBytes(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  let bytes = 0;
  for (const entry of entries) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
