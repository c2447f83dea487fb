/**
 * Where the metrics of this machine's processes are, as Prometheus' file-based discovery reads it: a directory with one
 * file for each process, written by that process alone, so that `metrics-targets/holdfast-*.json` are always whole.
 * https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { engineDirectory } from '../system/home.ts';

export interface MetricsTarget {
  readonly targets: readonly string[];
  /** `instance` is the process's place in the system and not its port, which may be another one after each start. */
  readonly labels: { readonly instance: string; readonly role: string; readonly host?: string };
}

export interface ProcessName {
  readonly role: 'orchestration' | 'host';
  readonly host?: string;
}

/** HOLDFAST_METRICS_TARGETS, for a Prometheus that may not read the state of Holdfast; else beside the engine. */
export function targetsDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment['HOLDFAST_METRICS_TARGETS'];
  return own === undefined || own === '' ? path.join(engineDirectory(), 'metrics-targets') : path.resolve(own);
}

/** The directory may be shared with other people's targets. */
const OWN_FILE = /^holdfast-(?:orchestration|host-.+)\.json$/;

function fileOf({ role, host }: ProcessName): string {
  return path.join(targetsDirectory(), `holdfast-${host === undefined ? role : `host-${host}`}.json`);
}

/** Takes the place of what the last process of this name wrote. */
export function writeTarget(name: ProcessName, address: string): void {
  const { role, host } = name;
  const instance = `${host === undefined ? role : `host/${host}`}@${hostname()}`;
  const target: MetricsTarget = {
    targets: [address],
    labels: { instance, role, ...(host === undefined ? {} : { host }) },
  };
  const file = fileOf(name);
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 });
  const scratch = `${file}.${process.pid}`;
  writeFileSync(scratch, `${JSON.stringify([target], undefined, 2)}\n`, { mode: 0o644 });
  renameSync(scratch, file);
}

/** Of a process that ends in order. One that died is kept: that it does not answer is news. */
export function removeTarget(name: ProcessName): void {
  rmSync(fileOf(name), { force: true });
}

/** Before the first process of an engine starts: hosts that this machine was once are gone. */
export function forgetTargets(): void {
  for (const name of entries()) rmSync(path.join(targetsDirectory(), name), { force: true });
}

/** What is written there; a file that is no list of targets is left out. */
export function readTargets(): MetricsTarget[] {
  return entries().flatMap((name) => {
    try {
      const value: unknown = JSON.parse(readFileSync(path.join(targetsDirectory(), name), 'utf8'));
      return Array.isArray(value) ? (value as MetricsTarget[]) : [];
    } catch {
      // Removed by the process that has just ended.
      return [];
    }
  });
}

function entries(): string[] {
  try {
    return readdirSync(targetsDirectory()).filter((name) => OWN_FILE.test(name));
  } catch {
    return [];
  }
}
