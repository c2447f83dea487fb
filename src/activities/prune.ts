/** Pruning one store: the plan, the removal of backups, the sweep. One process at a time, by the kernel's word. */
import { createHash } from 'node:crypto';
import { hostLock, type HostLock } from '../docker/host-lock.ts';
import { HoldfastError } from '../failures.ts';
import { leftSweeps } from '../policy/sweep.ts';
import { withApart } from '../sites/apart.ts';
import { resolveSecret, type System } from '../system/index.ts';
import { signerOf } from '../vault/envelope.ts';
import { epochName } from '../vault/epoch.ts';
import { withVault } from '../vault/maintained.ts';
import { keepLocks as locksOf } from '../vault/sweep/keep-locks.ts';
import { planPrune as planOf, type PrunePlan } from '../vault/sweep/prune-plan.ts';
import { surveyBackups, type PruneSource } from '../vault/sweep/prune-survey.ts';
import { basesToKeepLogFor, pruneWal } from '../vault/sweep/prune-wal.ts';
import { nothingRemoved, type Removed } from '../vault/sweep/removal.ts';
import { nameOfSweep, readSweeps, sweepKeys } from '../vault/sweep/sweep-records.ts';
import { condemn, endLeft, sweep, tidy, type SweepContext } from '../vault/sweep/sweep.ts';
import { closeLeftHealings } from '../vault/verify/heal.ts';
import type { HostContext } from './host-context.ts';
import { healingLock } from './maintained.ts';
import type { Run } from './shell.ts';
import type { PruneActivities, PruneSummary } from './types.ts';

type Input<A extends keyof PruneActivities> = Parameters<PruneActivities[A]>[0];
type Output<A extends keyof PruneActivities> = Awaited<ReturnType<PruneActivities[A]>>;

/** What a history and a terminal are shown; all of it stands in the sweep's plan in the store. */
const SHOWN = 200;
const MINIMUM_AGE_SECONDS = 24 * 3600;
/** Longer than a request of a dead process can be on its way. */
const LINGER_MS = 30_000;
/** So long captures that have not begun are kept waiting for those that have. */
const PATIENCE_MS = 3600 * 1000;
const POLL_MS = 5000;

export async function planPrune(context: HostContext, input: Input<'planPrune'>, run: Run): Promise<PruneSummary> {
  const system = await context.system(input.system);
  return withSource(system, input.store, async (from) => summaryOf(await decide(system, from, input, run)));
}

/** Throws PlanChanged when it would now have to be asked about another plan than the one that was looked at. */
export async function condemnPruned(
  context: HostContext,
  input: Input<'condemnPruned'>,
  run: Run,
): Promise<Output<'condemnPruned'>> {
  return pruning(context, input, run, async (system, of) => {
    const { store } = of('').from;
    const sweeps = await readSweeps(store);
    const name = nameOfSweep(sweeps, input.startedAtMs, input.runId);
    const begun = (await store.head(sweepKeys.plan(name))) !== undefined;
    const own = of(name);
    await endLeft(own, leftSweeps(sweeps, name));
    await closeDeadHealings(system, input.store, own);
    const plan = await decide(system, own.from, input, run);
    if (!begun) {
      if (plan.asks.length > 0 && digestOf(plan) !== input.digest) {
        throw new HoldfastError('PlanChanged', `what would go from ${input.store} is no longer what was looked at`);
      }
      if (plan.removes.length === 0 && plan.frees.objects === 0 && !goingOf(plan).some(isWorthASweep))
        return { backups: 0, lockedBackups: 0 };
    }
    const { minimumAgeSeconds = MINIMUM_AGE_SECONDS } = input;
    const condemned = await condemn(own, { manifests: plan.removes, minimumAgeSeconds });
    return { sweep: name, backups: condemned.manifests, lockedBackups: condemned.lockedManifests };
  });
}

export async function sweepCondemned(
  context: HostContext,
  input: Input<'sweepCondemned'>,
  run: Run,
): Promise<Output<'sweepCondemned'>> {
  return pruning(context, input, run, async (system, of) => {
    const own = of(input.sweep);
    await closeDeadHealings(system, input.store, own);
    const swept = await sweep(own, { patienceMs: PATIENCE_MS, pollMs: POLL_MS });
    await tidy(own);
    const wal = await pruneLogs(own, run);
    return { ...swept, walObjects: wal.objects, walBytes: wal.bytes, to: swept.to.slice(0, SHOWN) };
  });
}

export async function keepLocks(
  context: HostContext,
  input: Input<'keepLocks'>,
  run: Run,
): Promise<Output<'keepLocks'>> {
  const system = await context.system(input.system);
  const config = system.stores.find(({ name }) => name === input.store);
  if (config === undefined || !('immutable' in config)) return undefined;
  const { forSeconds } = config.immutable;
  return withSource(system, input.store, async (from) => {
    const report = (phase: string): void => run.report({ phase });
    const kept = await locksOf(from, { forSeconds, nowMs: Date.now(), signal: run.signal, report });
    if (kept === undefined) return undefined;
    return { kept: kept.kept, extended: kept.extended, until: new Date(kept.untilMs).toISOString() };
  });
}

/** What a healing of this host has left open when it died would keep each sweep waiting; one that lives holds the lock. */
async function closeDeadHealings(system: System, store: string, { from, author, signal }: SweepContext): Promise<void> {
  let lock: HostLock;
  try {
    lock = await healingLock(system.name, store, signal);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HostBusy') return;
    throw error;
  }
  try {
    await closeLeftHealings(from, author, signal);
  } finally {
    await lock.release();
  }
}

/** By the base backups that are there now. While one can't be read, nobody knows what log it needs. */
async function pruneLogs({ from, name, report }: SweepContext, { signal }: Run): Promise<Removed> {
  const { backups, unknown } = await surveyBackups(from, signal);
  const plan = await from.store.head(sweepKeys.plan(name));
  const bases = basesToKeepLogFor(backups);
  if (plan === undefined || bases.size === 0 || unknown.length > 0) return nothingRemoved();
  return pruneWal(from, {
    bases,
    olderThanMs: plan.modifiedAtMs - MINIMUM_AGE_SECONDS * 1000,
    signal,
    report,
  });
}

function decide(
  system: System,
  from: PruneSource,
  input: { readonly store: string; readonly minimumAgeSeconds?: number },
  run: Run,
): Promise<PrunePlan> {
  const { minimumAgeSeconds } = input;
  return planOf(from, {
    system,
    storeName: input.store,
    nowMs: Date.now(),
    ...(minimumAgeSeconds === undefined ? {} : { minimumAgeSeconds }),
    signal: run.signal,
    report: (phase) => run.report({ phase }),
    currentEpoch: epochName(system.keys.recipients),
  });
}

/** Keys of epochs are small, and go with the next sweep that has something to do: a role's rights may not cover them. */
function isWorthASweep({ key }: PrunePlan['leftovers'][number]): boolean {
  return !key.startsWith('keys/');
}

function goingOf({ leftovers }: PrunePlan): PrunePlan['leftovers'] {
  return leftovers.filter(({ keep }) => !keep);
}

/** The digest names what goes, never ages or reasons. */
function digestOf({ removes }: PrunePlan): string {
  const named = removes.map(({ key, sha256 }) => `${key} ${sha256}`).toSorted();
  return createHash('sha256').update(named.join('\n')).digest('hex');
}

function summaryOf(plan: PrunePlan): PruneSummary {
  const gone = plan.decisions.filter(({ keep }) => !keep);
  return {
    digest: digestOf(plan),
    keeps: plan.decisions.length - gone.length,
    removesCount: gone.length,
    removes: gone.slice(0, SHOWN).map(({ backup, plan: name, startedAt, reasons }) => ({
      backup,
      plan: name,
      startedAt,
      why: reasons.join('; '),
    })),
    freesObjects: plan.frees.objects,
    freesBytes: plan.frees.bytes,
    leftoversCount: goingOf(plan).length,
    leftovers: goingOf(plan)
      .slice(0, 20)
      .map(({ key, why }) => `${key}: ${why}`),
    asks: plan.asks,
    anomaliesCount: plan.anomalies.length,
    anomalies: plan.anomalies.slice(0, 20),
    blocked: plan.blocked.slice(0, 20),
  };
}

async function withSource<T>(system: System, storeName: string, use: (from: PruneSource) => Promise<T>): Promise<T> {
  const config = system.stores.find(({ name }) => name === storeName);
  if (config === undefined) throw new HoldfastError('BadInput', `${system.name} has no store ${storeName}`);
  const judged: PruneSource['judged'] = (entries) => withApart(system, entries, undefined, { asRemembered: false });
  return withVault(system, config, (from) => use({ ...from, judged }));
}

/** Holds the lock that says that no other process of this host deletes from this vault. */
async function pruning<T>(
  context: HostContext,
  input: { readonly system: string; readonly store: string },
  run: Run,
  use: (system: System, of: (sweep: string) => SweepContext) => Promise<T>,
): Promise<T> {
  const system = await context.system(input.system);
  const signer = signerOf(await resolveSecret(system.keys.keeper ?? system.keys.signer));
  const lock = await hostLock(`prune ${system.name} ${input.store}`, run.signal);
  try {
    return await withSource(system, input.store, (from) =>
      use(system, (name) => ({
        from,
        author: { vaultId: from.vaultId, signer, host: context.host },
        name,
        signal: run.signal,
        report: (phase) => run.report({ phase }),
        // A directory's requests die with their process.
        lingerMs: from.store.kind === 'directory' ? 0 : LINGER_MS,
        currentEpoch: epochName(system.keys.recipients),
      })),
    );
  } finally {
    await lock.release();
  }
}
