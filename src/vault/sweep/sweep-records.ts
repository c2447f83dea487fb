/** The records of a sweep: signed by the keeper, created only, and kept for ever. docs/FORMAT.md specifies them. */
import { z } from 'zod';

import { HoldfastError } from '../../failures.ts';
import type { SweepMarks } from '../../policy/sweep.ts';
import type { Store } from '../../stores/store.ts';
import { NAMESPACES, readRecord, signRecord, type Signer } from '../envelope.ts';
import { compactTime, FORMAT, sha256Hex } from '../names.ts';
import { checkClaim, type TrustRoots } from '../trust.ts';

const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'not a time');
const count = z.number().int().nonnegative();

const common = {
  format: z.literal(FORMAT),
  /** Its own key, so that a copy under another name shows. */
  key: z.string(),
  vaultId: z.string(),
  at: time,
  signer: z.string(),
};

/** A manifest that a sweep removes: what explains the gap in its signer's chain. */
const prunedSchema = z.object({
  key: z.string(),
  sha256: z.string(),
  signer: z.string(),
  sequence: z.number().int(),
  why: z.string(),
});
export type Pruned = z.infer<typeof prunedSchema>;

export interface PrunedAt extends Pruned {
  /** When its plan came into the store, by the store's clock. */
  readonly plannedAtMs: number;
}

/** `sweeps/<name>/plan.json`: written before the first manifest is removed. */
export const sweepPlanSchema = z.object({ ...common, manifests: z.array(prunedSchema) });
export type SweepPlan = z.infer<typeof sweepPlanSchema>;

/** `closing.json`, `deleting.json`, `done.json`. */
export const sweepMarkSchema = z.object({
  ...common,
  mark: z.enum(['closing', 'deleting', 'done']),
  /** The host whose process does it. */
  host: z.string(),
  /** Of `done`: what came of it. `ended`: its process had died, and a later prune says so. */
  outcome: z.enum(['swept', 'gave-way', 'ended']).exactOptional(),
  why: z.string().exactOptional(),
  deletedObjects: count.exactOptional(),
  deletedBytes: count.exactOptional(),
  /** Left because a lock of the store holds them. */
  lockedObjects: count.exactOptional(),
});
export type SweepMarkBody = z.infer<typeof sweepMarkSchema>;
export type SweepMark = SweepMarkBody['mark'];

/** Sorts by time. The same run gives the same name. */
export function sweepNameOf(startedAtMs: number, runId: string): string {
  return `${compactTime(startedAtMs)}-${sha256Hex(Buffer.from(runId)).slice(0, 12)}`;
}

/**
 * A run's own sweep: the one it has begun, or a name behind all that there are. Caches heed sweeps in the order of their
 * names, whatever the clocks of the hosts that made them.
 */
export function nameOfSweep(sweeps: readonly SweepMarks[], startedAtMs: number, runId: string): string {
  const own = sweepNameOf(startedAtMs, runId);
  const [, suffix = ''] = own.split('-');
  const begun = sweeps.find(({ name }) => name.endsWith(`-${suffix}`));
  if (begun !== undefined) return begun.name;
  const last = sweeps.at(-1)?.name ?? '';
  if (last < own) return own;
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(last);
  const [, year, month, day, hour, minute, second] = (found ?? []).map(Number);
  const lastMs = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
  return sweepNameOf((Number.isNaN(lastMs) ? startedAtMs : lastMs) + 1000, runId);
}

export const sweepKeys = {
  plan: (name: string) => `sweeps/${name}/plan.json`,
  condemned: (name: string) => `sweeps/${name}/condemned`,
  mark: (name: string, mark: SweepMark) => `sweeps/${name}/${mark}.json`,
};

/** What a sweep is signed with and for. */
export interface SweepAuthor {
  readonly vaultId: string;
  readonly signer: Signer;
  readonly host: string;
}

/** The first plan under a sweep's name decides; a repeat finds it. */
export async function writeSweepPlan(
  store: Store,
  author: SweepAuthor,
  sweep: { readonly name: string; readonly atMs: number; readonly manifests: readonly Pruned[] },
): Promise<SweepPlan> {
  const key = sweepKeys.plan(sweep.name);
  const body = { ...header(author, key, sweep.atMs), manifests: [...sweep.manifests] };
  if ((await store.put(key, signRecord(body, NAMESPACES.sweep, author.signer), { createOnly: true })) === 'written') {
    return body;
  }
  const there = readRecord(sweepPlanSchema, await store.get(key), key);
  if (there.body.key !== key || there.signedBy !== author.signer.fingerprint) {
    throw new HoldfastError('Untrusted', `${key} is not of this prune: it is signed by ${there.signedBy}`);
  }
  return there.body;
}

export async function writeSweepMark(
  store: Store,
  author: SweepAuthor,
  sweep: { readonly name: string; readonly mark: SweepMark; readonly atMs: number },
  facts: Pick<SweepMarkBody, 'outcome' | 'why' | 'deletedObjects' | 'deletedBytes' | 'lockedObjects'> = {},
): Promise<void> {
  const key = sweepKeys.mark(sweep.name, sweep.mark);
  const body = { ...header(author, key, sweep.atMs), mark: sweep.mark, host: author.host, ...facts };
  await store.put(key, signRecord(body, NAMESPACES.sweep, author.signer), { createOnly: true });
  await store.sync();
}

/** Every sweep there is, in the order of their names, which is that of time. */
export async function readSweeps(store: Store): Promise<SweepMarks[]> {
  const found = new Map<string, Set<string>>();
  for await (const { key } of store.list('sweeps/')) {
    const [, name, mark] = key.split('/');
    if (name === undefined || mark === undefined) continue;
    const marks = found.get(name) ?? new Set();
    found.set(name, marks.add(mark));
  }
  return [...found].map(([name, marks]) => marksOf(name, marks));
}

export function marksOf(name: string, found: ReadonlySet<string>): SweepMarks {
  return {
    name,
    condemned: found.has('condemned'),
    closing: found.has('closing.json'),
    deleting: found.has('deleting.json'),
    done: found.has('done.json'),
  };
}

/**
 * The manifests that prunes have removed, from the plans that can be trusted. Those of a copy of the store are not known
 * here: each store is pruned by itself.
 */
export async function readPruned(
  store: Store,
  trust: { readonly vaultId: string; readonly roots: TrustRoots },
  signal?: AbortSignal,
): Promise<PrunedAt[]> {
  const pruned: PrunedAt[] = [];
  for await (const { key, modifiedAtMs } of store.list('sweeps/', signal === undefined ? {} : { signal })) {
    if (!key.endsWith('/plan.json')) continue;
    try {
      const record = readRecord(sweepPlanSchema, await store.get(key), key);
      if (record.body.key !== key) continue;
      checkClaim(trust.roots, record, { namespace: NAMESPACES.sweep, vaultId: trust.vaultId, at: record.body.at });
      pruned.push(...record.body.manifests.map((one) => ({ ...one, plannedAtMs: modifiedAtMs })));
    } catch (error) {
      // One that does not hold explains nothing: the gap stays told.
      if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
    }
  }
  return pruned;
}

function header(author: SweepAuthor, key: string, atMs: number) {
  const { vaultId, signer } = author;
  return { format: FORMAT, key, vaultId, at: new Date(atMs).toISOString(), signer: signer.fingerprint } as const;
}
