/** Finding backups and reading them back. */
import { HoldfastError } from '../failures.ts';
import { newestCleanOf, unjudgedOf } from '../status/newest-clean.ts';
import type { System } from '../system/types.ts';
import type { CatalogueEntry, ProofBody } from '../vault/types.ts';
import type { HostContext } from './host-context.ts';
import type { Run } from './shell.ts';
import type { HostActivities } from './types.ts';

type Input<A extends keyof HostActivities> = Parameters<HostActivities[A]>[0];

/** Verdicts come back also for a bad backup; only what keeps from judging is thrown. */
export async function verifyBackup(context: HostContext, input: Input<'verifyBackup'>, run: Run): Promise<ProofBody> {
  const { store, manifestKey, level } = input;
  const system = await context.system(input.system);
  const { signal } = run;
  if (level === 'presence') {
    return context.withWriter(system, store, async (vault) => {
      const onProgress = (done: number, total: number): void =>
        run.report({ phase: `verify: ${done} of ${total} objects` });
      const proof = await vault.verifyPresence(manifestKey, { signal, onProgress });
      await vault.writeProof(proof);
      return proof;
    });
  }
  const proof = await context.withReader(system, store, (vault) =>
    vault.verifyContent(manifestKey, {
      signal,
      onProgress: (bytesDone, bytesTotal) => run.report({ phase: 'verify', bytesDone, bytesTotal }),
    }),
  );
  await context.withWriter(system, store, (vault) => vault.writeProof(proof));
  return proof;
}

export interface Found {
  readonly store: string;
  readonly entry: CatalogueEntry;
}

/**
 * The newest backup that fits, of all stores; of several that hold it, the first of the system file. `latest` and
 * `before:` never mean a safety backup or one that can't be trusted; an id means just that one. A store that doesn't
 * answer is passed over when another has one.
 */
export async function findEntry(
  context: HostContext,
  system: System,
  asked: {
    readonly store?: string | undefined;
    readonly backup?: string | undefined;
    readonly plan?: string | undefined;
    /** Only backups that hold it. */
    readonly component?: string | undefined;
  },
  signal: AbortSignal,
): Promise<Found> {
  const stores = asked.store === undefined ? system.stores.map(({ name }) => name) : [asked.store];
  if (asked.backup === CLEAN) return findClean(context, system, asked, signal);
  const wanted = asked.backup ?? 'latest';
  const suits = fitting(wanted);
  const { component } = asked;
  const fits = (entry: CatalogueEntry): boolean =>
    suits(entry) && (component === undefined || entry.body.components.some(({ name }) => name === component));
  const filter = { signal, ...(asked.plan === undefined ? {} : { plan: asked.plan }) };
  const read = await Promise.allSettled(stores.map((store) => context.catalogue(system, store, filter)));
  signal.throwIfAborted();
  const found = read.flatMap((outcome, index): Found[] => {
    const entry = outcome.status === 'fulfilled' ? outcome.value.find(fits) : undefined;
    return entry === undefined ? [] : [{ store: stores[index] ?? '', entry }];
  });
  // Stable: of equally new ones the first store's stays first.
  const [newest] = found.toSorted((a, b) => Date.parse(b.entry.body.startedAt) - Date.parse(a.entry.body.startedAt));
  if (newest !== undefined) return newest;
  const failed = read.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined)
    throw failed.reason instanceof Error ? failed.reason : new HoldfastError('Internal', 'no store');
  const ofPlan = asked.plan === undefined ? '' : ` of plan ${asked.plan}`;
  throw new HoldfastError('BackupMissing', `no backup "${wanted}"${ofPlan} of ${system.name} in ${stores.join(', ')}`);
}

/** Instead of a backup's id. */
const CLEAN = 'clean';

/** What was found in it, when and by which search is told with it. */
async function findClean(
  context: HostContext,
  system: System,
  asked: Parameters<typeof findEntry>[2],
  signal: AbortSignal,
): Promise<Found> {
  const clean = await newestCleanOf(system);
  const { store, entry } = await findEntry(context, system, { ...asked, backup: clean.backup }, signal);
  const names = asked.component === undefined ? entry.body.components.map(({ name }) => name) : [asked.component];
  return { store, entry: { ...entry, notes: [...(entry.notes ?? []), clean.note, ...unjudgedOf(clean, names)] } };
}

/** Never a safety backup, one that can't be trusted, or one of a site that was fenced. */
export const usable = ({ body, trust, apart }: CatalogueEntry): boolean =>
  trust.ok && apart === undefined && body.purpose === 'backup';

function fitting(wanted: string): (entry: CatalogueEntry) => boolean {
  if (wanted === 'latest') return usable;
  if (!wanted.startsWith('before:')) return ({ body, key }) => body.id === wanted || key === wanted;
  const limit = Date.parse(wanted.slice('before:'.length));
  if (Number.isNaN(limit)) {
    throw new HoldfastError('BadInput', `"${wanted}" is not before: and an RFC 3339 time such as 2026-11-21T02:00:00Z`);
  }
  return (entry) => usable(entry) && Date.parse(entry.body.pointAt) < limit;
}

export async function findBackup(context: HostContext, input: Input<'findBackup'>, run: Run) {
  const system = await context.system(input.system);
  const { store, entry } = await findEntry(context, system, input, run.signal);
  return { store, manifestKey: entry.key, backup: entry.body.id };
}
