/**
 * Who works on a system's stack on this machine: `sites/held/<name>.json`. While one lies there the guard starts nothing; it
 * stops all the same, since the right to run comes before any work.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { listFiles, readJson, removeDurably, writeDurably } from '../docker/durable-file.ts';
import { HoldfastError } from '../failures.ts';
import { isHeld, readLease, sitesDirectory, type LeaseFile } from './site-files.ts';

const POLL_MS = 250;
/** Of a failover to this site, until its restore starts what it has brought. */
export const FAILOVER_HOLD = 'failover';
/** Of a site that stops for another one that asked, until it is known which of both goes on. */
export const HANDOVER_HOLD = 'handover';

const holdSchema = z.object({
  format: z.literal(1),
  name: z.string(),
  at: z.string(),
  /** The run of the engine that works on the stack; absent: a person. */
  by: z.object({ workflowId: z.string(), runId: z.string() }).exactOptional(),
});
export type Hold = z.infer<typeof holdSchema>;

/** Durable when this resolves. A repeat changes nothing. `name` says who: a run's id, or a person's word. */
export async function holdStack(system: string, name: string, by?: Hold['by']): Promise<void> {
  const whose = by === undefined ? {} : { by: { workflowId: by.workflowId, runId: by.runId } };
  await writeDurably(holdPath(system, name), { format: 1, name, at: new Date().toISOString(), ...whose });
}

/** Those of runs: a person's, and what can't be read, are left out. */
export async function holdsOfRuns(system: string): Promise<(Hold & { readonly by: NonNullable<Hold['by']> })[]> {
  const read = await Promise.all((await stackHolds(system)).map((name) => readJson(holdPath(system, name))));
  return read.flatMap((found) => {
    const { data } = holdSchema.safeParse(found);
    return data?.by === undefined ? [] : [{ ...data, by: data.by }];
  });
}

/** Gone for good when this resolves; one that is gone already is no error. */
export async function releaseStack(system: string, name: string): Promise<void> {
  await removeDurably(holdPath(system, name));
}

/** The names under which it is held, sorted. */
export async function stackHolds(system: string): Promise<string[]> {
  const files = await listFiles(path.join(sitesDirectory(system), 'held'), '.json');
  return files.map((file) => path.basename(file, '.json'));
}

/** At this moment, for who looks every second. */
export function isStackHeld(system: string): boolean {
  try {
    return readdirSync(path.join(sitesDirectory(system), 'held')).some((name) => name.endsWith('.json'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Resolves when the guard of this machine holds the lease and has started the stack. Throws SiteFenced when a guard says
 * that it may not run, Unhealthy when none has started it within the limit: what the guard said last is in the message.
 */
export async function waitForGuard(
  system: string,
  signal: AbortSignal,
  { limitMs = 120_000 }: { readonly limitMs?: number } = {},
): Promise<LeaseFile> {
  const end = performance.now() + limitMs;
  for (;;) {
    signal.throwIfAborted();
    const lease = await readLease(system);
    if (isHeld(lease) && lease.stack === 'up') return lease;
    if (performance.now() > end) throw notStarted(system, lease, await stackHolds(system));
    await sleep(POLL_MS, undefined, { signal });
  }
}

function notStarted(system: string, lease: LeaseFile | undefined, holds: readonly string[]): HoldfastError {
  const hint = `holdfast site ${system} shows the guard; holdfast site ${system} --guard install puts one in place.`;
  if (lease === undefined) {
    return new HoldfastError('Unhealthy', `no guard of ${system} has run on this machine since it was started`, {
      hint,
    });
  }
  const held = holds.length === 0 ? '' : `; held by ${holds.join(', ')}`;
  return new HoldfastError(
    isHeld(lease) ? 'Unhealthy' : 'SiteFenced',
    `the guard of ${system} has not started it: ${lease.told}${held}`,
    { hint },
  );
}

function holdPath(system: string, name: string): string {
  return path.join(sitesDirectory(system), 'held', `${name.replaceAll(/[^\w.-]/g, '_').slice(0, 200)}.json`);
}
