/** Makes the store's locks longer for what must stay: the keeper's work, never a capturing host's. */
import { HoldfastError } from '../../failures.ts';
import { mayNeedLock, needsLock } from '../../policy/lock-extension.ts';
import type { Store, StoreLocks } from '../../stores/store.ts';
import { mapBounded } from '../mutex.ts';
import { addNamed, NamedObjects } from '../named-objects.ts';
import { parseObjectKey } from '../names.ts';
import { surveyBackups, type PruneSource } from './prune-survey.ts';

export interface LocksKept {
  /** Objects that must stay. */
  readonly kept: number;
  /** Of these, those whose lock was made longer. */
  readonly extended: number;
  readonly untilMs: number;
}

const AT_ONCE = 16;
const BATCH = 1024;
/** What is of use for a time only, or is no word of anybody about a backup. */
const PASSING = ['captures/', 'sweeps/', 'verified/', 'quarantine/', 'probe/', 'clock/'];

/**
 * Everything that trusted backups name, and the records about them: each is locked for two thirds of `forSeconds` at
 * least when this ends, newly locked ones for all of it. Undefined when the store locks nothing. A repeat asks again and
 * extends only what needs it. What is gone in the meantime is passed over. Throws what reading the backups throws: locks
 * of what nobody knows can't be kept.
 */
export async function keepLocks(
  from: PruneSource,
  request: {
    readonly forSeconds: number;
    readonly nowMs: number;
    readonly signal: AbortSignal;
    readonly report: (what: string) => void;
  },
): Promise<LocksKept | undefined> {
  const { store } = from;
  const { locks } = store;
  if (locks === undefined) return undefined;
  const { forSeconds, nowMs, signal, report } = request;
  const named = await namedByTrusted(from, signal);
  const untilMs = nowMs + forSeconds * 1000;
  let kept = 0;
  let extended = 0;
  for await (const keys of stayingInBatches(store, named, signal)) {
    kept += keys.length;
    const due = keys.filter(({ modifiedAtMs }) => mayNeedLock(modifiedAtMs, forSeconds, nowMs));
    const done = await mapBounded(due, AT_ONCE, ({ key }) => {
      signal.throwIfAborted();
      return extendIfDue(locks, key, { forSeconds, nowMs, untilMs });
    });
    extended += done.filter(Boolean).length;
    report(`locks: ${kept} objects looked at, ${extended} extended`);
  }
  return { kept, extended, untilMs };
}

async function namedByTrusted(from: PruneSource, signal: AbortSignal): Promise<NamedObjects> {
  const { backups } = await surveyBackups(from, signal);
  const trusted = backups.filter(({ fact }) => fact.untrusted === undefined);
  const named = new NamedObjects();
  await addNamed(
    from.store,
    trusted.flatMap(({ sums }) => sums),
    named,
    { signal },
  );
  return named;
}

async function* stayingInBatches(store: Store, named: NamedObjects, signal: AbortSignal) {
  let batch: { readonly key: string; readonly modifiedAtMs: number }[] = [];
  for await (const { key, modifiedAtMs } of store.list('', { signal })) {
    if (!stays(key, named)) continue;
    batch.push({ key, modifiedAtMs });
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function stays(key: string, named: NamedObjects): boolean {
  const object = parseObjectKey(key);
  if (object !== undefined) return named.has(object.room, object.id);
  return !PASSING.some((prefix) => key.startsWith(prefix));
}

async function extendIfDue(
  locks: StoreLocks,
  key: string,
  { forSeconds, nowMs, untilMs }: { readonly forSeconds: number; readonly nowMs: number; readonly untilMs: number },
): Promise<boolean> {
  try {
    if (!needsLock(await locks.get(key), forSeconds, nowMs)) return false;
    await locks.extend(key, untilMs);
    return true;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'ObjectMissing') return false;
    throw error;
  }
}
