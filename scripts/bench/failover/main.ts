/** How long a failover takes: a ledger whose site is lost, taken over by one that has nothing of it, and by a warm one. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../../../sample/stack/processes.ts';
import type { BackupResult, FailoverResult, RestoreResult } from '../../../src/workflows/contract.ts';
import { SYSTEM, type Site } from '../../two-sites/site.ts';
import { ledgerSites, PLAN } from './bed.ts';

/** A standby looks once a minute, and restores then. */
const PREPARED_WITHIN_MS = 15 * 60_000;

export interface FailoverFigures {
  readonly how: 'cold' | 'warm';
  readonly sizeMiB: number;
  readonly load: number;
  readonly rto: NonNullable<FailoverResult['rto']>;
  readonly phases: NonNullable<FailoverResult['phases']>;
  /** Of the restore within it. */
  readonly restore: readonly { readonly name: string; readonly seconds: number }[];
}

/** Needs root. A cold failover, and one back to the first site, which has restored the newest backup ahead. */
export async function benchmarkFailover(
  options: { readonly sizeMiB: number; readonly seed: number; readonly scratch: string },
  say: (text: string) => void,
): Promise<readonly FailoverFigures[]> {
  const { sizeMiB } = options;
  await using bed = await ledgerSites(options, say);
  const [one, other] = bed.sites;
  await backUp(one, say);

  say(`${one.name} has no power any more; ${other.name} has nothing of the ledger`);
  await one.powerOff();
  const cold = await takeOver('cold', sizeMiB, other);
  say(told(cold));

  say(`${one.name} comes back, to stand by warm`);
  const { backup } = await backUp(other, say);
  await writeFile(
    one.systemFile,
    (await readFile(one.systemFile, 'utf8')).replace(/^failover:\n/m, 'failover:\n  warm: true\n'),
  );
  await one.powerOn();
  one.startGuard();
  await one.startWorkers();
  await waitFor(`${one.name} to have restored ${backup} ahead`, PREPARED_WITHIN_MS, async () =>
    (await isPrepared(one, backup)) ? true : undefined,
  );
  await other.powerOff();
  const warm = await takeOver('warm', sizeMiB, one);
  say(told(warm));
  return [cold, warm];
}

async function backUp(site: Site, say: (text: string) => void): Promise<{ backup: string }> {
  const began = performance.now();
  const { backup } = await site.holdfast.ask<BackupResult>('backup', SYSTEM, PLAN);
  if (backup === undefined) throw new Error(`${site.name} made no backup`);
  say(`backup ${backup} at ${site.name}, ${((performance.now() - began) / 1000).toFixed(1)} s`);
  return { backup };
}

async function isPrepared(site: Site, backup: string): Promise<boolean> {
  const file = join(site.home, 'state', SYSTEM, 'sites', 'prepared.json');
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.includes(`"${backup}"`);
}

async function takeOver(how: FailoverFigures['how'], sizeMiB: number, standby: Site): Promise<FailoverFigures> {
  const [load = 0] = loadavg();
  const first = await standby.holdfast.run('failover', SYSTEM, '--json');
  const waiting = JSON.parse(first.stdout) as Partial<FailoverResult>;
  const digest = waiting.plan?.digest;
  if (digest === undefined) throw new Error(`${how}: nothing to approve: ${first.stdout}${first.stderr}`);
  const { stdout } = await standby.holdfast.run(...['approve', SYSTEM, digest, '--by', 'bench', '--watch', '--json']);
  const result = JSON.parse(stdout) as FailoverResult;
  const { outcome, ok, rto, phases } = result;
  if (outcome !== 'done' || ok !== true || rto === undefined || phases === undefined) {
    throw new Error(`${how}: ${stdout}`);
  }
  return { how, sizeMiB, load, rto, phases, restore: await restorePhases(standby) };
}

/** Of the newest restore that the site has written down. */
async function restorePhases(site: Site): Promise<FailoverFigures['restore']> {
  const directory = join(site.home, 'reports', SYSTEM, 'restore');
  const names = (await readdir(directory)).filter((name) => name.endsWith('.json'));
  const reports = await Promise.all(
    names.map(async (name) => JSON.parse(await readFile(join(directory, name), 'utf8')) as Partial<RestoreResult>),
  );
  const phases = reports.flatMap(({ whole }) => (whole === undefined ? [] : [whole.phases])).at(-1) ?? [];
  return phases.map(({ name, ms }) => ({ name, seconds: ms / 1000 }));
}

export function told({ how, rto, phases, restore }: FailoverFigures): string {
  const of = (list: FailoverFigures['restore']): string =>
    list
      .filter(({ seconds }) => seconds >= 0.05)
      .map(({ name, seconds }) => `${name} ${seconds.toFixed(1)}`)
      .join(', ');
  return [
    `${how}: ${rto.ownSeconds.toFixed(1)} s of its own; ${rto.seconds.toFixed(1)} s in all`,
    `  ${of(phases)}`,
    `  of the restore: ${of(restore)}`,
  ].join('\n');
}
