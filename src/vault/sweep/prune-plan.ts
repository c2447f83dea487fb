/** What a prune of one store would keep and delete, each with its reasons, and what that frees. Changes nothing. */
import { HoldfastError } from '../../failures.ts';
import { decideRetention, type RetentionDecision } from '../../policy/retention.ts';
import type { LeftoverDecision } from '../../policy/leftovers.ts';
import { scheduleIntervalSeconds } from '../../policy/schedule-interval.ts';
import type { System } from '../../system/types.ts';
import { readManifestRoots } from './manifest-roots.ts';
import { addNamed, NamedObjects } from '../named-objects.ts';
import { parseObjectKey } from '../names.ts';
import { decideLeftovers } from './leftovers.ts';
import { surveyBackups, type PruneSource, type Surveyed } from './prune-survey.ts';
import { itemsUnder } from './removal.ts';
import type { Pruned } from './sweep-records.ts';

const MINIMUM_AGE_SECONDS = 24 * 3600;

export interface PruneDecision extends RetentionDecision {
  readonly backup: string;
  readonly plan: string;
  readonly startedAt: string;
}

export interface PrunePlan {
  /** By plan, newest first. */
  readonly decisions: readonly PruneDecision[];
  /** In the words of the records that explain the gaps. */
  readonly removes: readonly Pruned[];
  readonly anomalies: readonly string[];
  /** Why no object may be deleted; the backups that go are removed all the same. */
  readonly blocked: readonly string[];
  /** More than half of a plan's backups would go at once: a person is asked. */
  readonly asks: readonly string[];
  /** Of objects that no backup names that stays, as far as they are old enough. */
  readonly frees: { readonly objects: number; readonly bytes: number };
  readonly namedObjects: number;
  /** Keys of epochs, and what was put aside: what of them stays and goes. */
  readonly leftovers: readonly LeftoverDecision[];
}

export interface PruneRequest {
  readonly system: Pick<System, 'plans' | 'keepAsideSeconds'>;
  readonly storeName: string;
  readonly nowMs: number;
  /** Default 24 hours. */
  readonly minimumAgeSeconds?: number;
  /** Of the recipients that the system file names; without it keys of epochs are left alone. */
  readonly currentEpoch?: string;
  /** Default 30 days. */
  readonly asideSeconds?: number;
  readonly signal: AbortSignal;
  readonly report?: (what: string) => void;
}

/** Needs no key: what backups name is read from their trees of checksums. */
export async function planPrune(from: PruneSource, request: PruneRequest): Promise<PrunePlan> {
  const { signal, report } = request;
  report?.('reads the backups');
  const { backups, unknown } = await surveyBackups(from, signal);
  const byKey = new Map(backups.map((one) => [one.fact.key, one]));
  const decided = [...Map.groupBy(backups, ({ fact }) => fact.plan)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([plan, own]) => ({ plan, own, ...decidePlan(plan, own, request) }));
  const decisions = decided.flatMap(({ plan, decisions: own }) =>
    own.map((decision) => described(decision, plan, byKey.get(decision.key))),
  );
  const removes = decisions.filter(({ keep }) => !keep).flatMap(({ key, reasons }) => pruned(byKey.get(key), reasons));
  const blocked = await whatBlocks(unknown, removes, from, signal);
  const kept = decisions.filter(({ keep }) => keep).flatMap(({ key }) => byKey.get(key)?.sums ?? []);
  const named = new NamedObjects();
  const onProgress = (nodes: number): void => report?.(`${nodes} nodes read`);
  await addNamed(from.store, new Set(kept), named, { signal, onProgress }).catch((error: unknown) => {
    if (!(error instanceof HoldfastError) || !['ObjectMissing', 'ObjectCorrupt', 'VaultFormat'].includes(error.code)) {
      throw error;
    }
    blocked.push(error.message);
  });
  return {
    decisions,
    removes,
    anomalies: decided.flatMap(({ anomalies }) => anomalies),
    blocked,
    asks: decided.flatMap(({ plan, decisions: own }) => manyAtOnce(plan, own)),
    frees: blocked.length > 0 ? { objects: 0, bytes: 0 } : await unnamed(from, named, request),
    namedObjects: named.size,
    leftovers: await leftoversOf(from, blocked.length > 0 ? undefined : named, request),
  };
}

function leftoversOf(
  from: PruneSource,
  named: NamedObjects | undefined,
  request: PruneRequest,
): Promise<LeftoverDecision[]> {
  const { minimumAgeSeconds = MINIMUM_AGE_SECONDS } = request;
  return decideLeftovers(from, { ...request, named, minimumAgeSeconds });
}

function decidePlan(name: string, own: readonly Surveyed[], request: PruneRequest) {
  const { system, storeName, nowMs, minimumAgeSeconds } = request;
  const plan = system.plans.find((one) => one.name === name);
  const schedule = plan?.schedule;
  const interval = schedule === undefined ? undefined : scheduleIntervalSeconds(schedule, nowMs);
  return decideRetention(
    own.map(({ fact }) => fact),
    plan?.keepIn[storeName] ?? plan?.keep,
    nowMs,
    {
      capturesHere: plan === undefined || plan.stores[0] === storeName,
      keepAsideSeconds: system.keepAsideSeconds,
      ...(schedule === undefined ? {} : { timeZone: schedule.timeZone }),
      ...(interval === undefined ? {} : { intervalSeconds: interval }),
      ...(minimumAgeSeconds === undefined ? {} : { minimumAgeSeconds }),
    },
  );
}

function described(decision: RetentionDecision, plan: string, surveyed: Surveyed | undefined): PruneDecision {
  const startedAtMs = surveyed?.fact.startedAtMs ?? Number.NaN;
  const startedAt = Number.isFinite(startedAtMs) ? new Date(startedAtMs).toISOString() : '';
  return { ...decision, backup: surveyed?.backupId ?? '', plan, startedAt };
}

function pruned(surveyed: Surveyed | undefined, reasons: readonly string[]): Pruned[] {
  if (surveyed === undefined) return [];
  const { fact, sha256 } = surveyed;
  return [{ key: fact.key, sha256, signer: fact.signer, sequence: fact.sequence, why: reasons.join('; ') }];
}

/** A manifest that is about to go need not be understood. */
async function whatBlocks(
  unknown: readonly string[],
  removes: readonly Pruned[],
  { store }: PruneSource,
  signal: AbortSignal,
): Promise<string[]> {
  if (unknown.length === 0) return [];
  const gone = new Set(removes.map(({ key }) => key));
  const { unknown: left } = await readManifestRoots(store, signal);
  return left.filter((why) => !gone.has(why.split(' ')[0] ?? ''));
}

/** A few are nothing to ask about; half of what there is may be a mistake in the file, or somebody's trick. */
function manyAtOnce(plan: string, decisions: readonly RetentionDecision[]): string[] {
  const deleted = decisions.filter(({ keep }) => !keep).length;
  if (deleted <= 3 || deleted * 2 <= decisions.length) return [];
  return [`${deleted} of ${decisions.length} backups of ${plan} would go at once`];
}

async function unnamed(from: PruneSource, named: NamedObjects, request: PruneRequest) {
  const { nowMs, minimumAgeSeconds = MINIMUM_AGE_SECONDS, signal } = request;
  let objects = 0;
  let bytes = 0;
  for (const room of ['chunks', 'lists', 'sums'] as const) {
    for await (const { key, sizeBytes, modifiedAtMs } of itemsUnder(from.store, `${room}/`, signal)) {
      const object = parseObjectKey(key);
      if (object === undefined || modifiedAtMs > nowMs - minimumAgeSeconds * 1000) continue;
      if (named.has(object.room, object.id)) continue;
      objects += 1;
      bytes += sizeBytes;
    }
  }
  return { objects, bytes };
}
