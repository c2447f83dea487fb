/** What the stores of a system hold of its backups, told from manifests that are read once: they never change. */
import { HoldfastError } from '../../failures.ts';
import { basePointIn, type BasePoint } from '../../policy/reachable.ts';
import type { Store } from '../../stores/store.ts';
import { MAX_TOMBSTONE_BYTES } from './settled.ts';
import { getManifest, isTombstone, judgeManifest, parseAtManifestKey } from '../manifest.ts';
import { mapBounded } from '../mutex.ts';
import { backupIdOfKey } from '../names.ts';
import type { TrustRoots } from '../trust.ts';
import type { ManifestBody } from '../types.ts';

const READS_AT_ONCE = 16;
/** About 1 KiB each. */
const MOST_REMEMBERED = 50_000;

/** What is decided by; small, because there may be ten thousand of them. */
export interface SurveyFact {
  readonly purpose: 'backup' | 'safety';
  readonly tag?: string;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly pointAtMs: number;
  readonly signer: string;
  readonly sequence: number;
  readonly sizeBytes: number;
  /** By component: where a base backup of a database cluster begins. */
  readonly bases: readonly { readonly component: string; readonly base: BasePoint }[];
}

export interface Surveyed {
  readonly manifestKey: string;
  readonly backupId: string;
  readonly plan: string;
  /** In the target. */
  readonly there: boolean;
  /** Absent for what can't be trusted or read; `why` says it. */
  readonly fact?: SurveyFact;
  readonly why?: string;
}

export interface SurveyInput {
  readonly target: Store;
  readonly sources: readonly Store[];
  readonly vaultId: string;
  readonly roots: TrustRoots;
  readonly signal: AbortSignal;
}

/** By vault and key: a manifest is written once under its name, so what was read of it holds for ever. */
const remembered = new Map<string, SurveyFact>();

/** Newest first. Tombstones are left out. Reads no manifest twice in the life of this process. */
export async function surveyStores(
  input: SurveyInput,
  wanted: (plan: string, backupId: string) => boolean,
): Promise<Surveyed[]> {
  const holders = new Map<string, Store[]>();
  const short: string[] = [];
  for (const store of [...input.sources, input.target]) {
    for await (const { key, sizeBytes } of store.list('backups/', { signal: input.signal })) {
      const id = backupIdOfKey(key);
      if (id === undefined || !wanted(planOf(key), id)) continue;
      holders.set(key, [...(holders.get(key) ?? []), store]);
      if (store === input.target && sizeBytes <= MAX_TOMBSTONE_BYTES) short.push(key);
    }
  }
  const settled = new Set<string>();
  await mapBounded(short, READS_AT_ONCE, async (key) => {
    if (await isTombstone(input.target, key)) settled.add(key);
  });
  const read = await mapBounded([...holders], READS_AT_ONCE, async ([key, stores]) => {
    input.signal.throwIfAborted();
    const found = await factOf(input, key, stores);
    if (found === 'tombstone') return undefined;
    const there = stores.includes(input.target) && !settled.has(key);
    return { manifestKey: key, backupId: backupIdOfKey(key) ?? '', plan: planOf(key), there, ...found };
  });
  return read.filter((one) => one !== undefined).toSorted(newestFirst);
}

function newestFirst(a: Surveyed, b: Surveyed): number {
  const byTime = (b.fact?.startedAtMs ?? 0) - (a.fact?.startedAtMs ?? 0);
  return byTime === 0 ? (a.manifestKey < b.manifestKey ? 1 : -1) : byTime;
}

function planOf(manifestKey: string): string {
  return manifestKey.split('/')[1] ?? '';
}

async function factOf(
  { vaultId, roots }: SurveyInput,
  key: string,
  stores: readonly Store[],
): Promise<{ readonly fact: SurveyFact } | { readonly why: string } | 'tombstone'> {
  const name = `${vaultId} ${key}`;
  const known = remembered.get(name);
  if (known !== undefined) return { fact: known };
  let why = '';
  for (const store of stores) {
    try {
      const found = parseAtManifestKey(await getManifest(store, key), key);
      if (found.kind === 'tombstone') continue;
      judgeManifest(roots, vaultId, key, found.record);
      const fact = factIn(found.record.body);
      if (remembered.size >= MOST_REMEMBERED) remembered.clear();
      remembered.set(name, fact);
      return { fact };
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
      // Pruned since the listing: as if it had not been listed.
      if (error.code !== 'BackupMissing') why = `${store.label}: ${error.message}`;
    }
  }
  return why === '' ? 'tombstone' : { why };
}

function factIn(body: ManifestBody): SurveyFact {
  const artifacts = [...body.components.flatMap((component) => component.artifacts), body.systemFile];
  return {
    purpose: body.purpose,
    ...(body.tag === undefined ? {} : { tag: body.tag }),
    startedAtMs: Date.parse(body.startedAt),
    finishedAtMs: Date.parse(body.finishedAt),
    pointAtMs: Date.parse(body.pointAt),
    signer: body.signer,
    sequence: body.sequence,
    sizeBytes: artifacts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0),
    bases: body.components.flatMap(({ name, facts }) => {
      const base = basePointIn(body.id, facts);
      return base === undefined ? [] : [{ component: name, base }];
    }),
  };
}
