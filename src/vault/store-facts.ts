/** What a vault says of itself: its backups, and which objects with which bytes they need. Read without any key. */
import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/store.ts';
import { ExpectedObjects } from './verify/expected-objects.ts';
import { artifactsOf, judgeManifest, judgeTombstone, parseAtManifestKey } from './manifest.ts';
import { requireAsWritten } from './as-written.ts';
import { getIfThere } from './get-if-there.ts';
import { keysIn } from './listed.ts';
import { mapBounded } from './mutex.ts';
import { objectKey } from './names.ts';
import { readSums } from './sums.ts';
import type { TrustRoots } from './trust.ts';
import type { ManifestBody } from './types.ts';

const READS_AT_ONCE = 16;

export interface VaultPlace {
  readonly store: Store;
  readonly vaultId: string;
  readonly roots: TrustRoots;
  readonly signal: AbortSignal;
}

/** What verification needs to know of one trusted backup. */
export interface NamedBackup {
  readonly key: string;
  readonly id: string;
  readonly epoch: string;
  /** Its place in its signer's chain. */
  readonly link: ManifestLink;
  /** Roots of its trees of checksums. */
  readonly sums: readonly string[];
  /** Roots of lists for which no checksums were stored. */
  readonly withoutSums: readonly string[];
}

export interface ManifestLink {
  readonly signer: string;
  readonly sequence: number;
  readonly sha256: string;
  readonly previousSha256: string | null;
  readonly startedAtMs: number;
}

export type Note = (key: string, error: HoldfastError) => void;

/** Runs a check of an object; what is wrong with it is noted, and a store that cannot be asked is thrown. */
export async function noting<T>(key: string, note: Note, check: () => Promise<T>): Promise<T | undefined> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof HoldfastError) || !isAboutObject(error)) throw error;
    note(key, error);
    return undefined;
  }
}

/** True for failures that speak about the object, not about the way to it. */
export function isAboutObject({ code }: HoldfastError): boolean {
  return ['ObjectMissing', 'ObjectCorrupt', 'Untrusted', 'VaultFormat', 'BackupMissing'].includes(code);
}

/** Every backup whose manifest holds; what is wrong with the others is noted. */
export async function readBackups(from: VaultPlace, note: Note): Promise<NamedBackup[]> {
  const keys = await keysIn(from.store, 'backups/', from.signal);
  const read = await mapBounded(keys, READS_AT_ONCE, (key) => {
    from.signal.throwIfAborted();
    return noting(key, note, () => readBackup(from, key));
  });
  return read.filter((backup) => backup !== undefined && backup !== 'tombstone');
}

async function readBackup(from: VaultPlace, key: string): Promise<NamedBackup | 'tombstone' | undefined> {
  const bytes = await getIfThere(from.store, key);
  // Pruned since the listing.
  if (bytes === undefined) return undefined;
  return judgeBackup(from, key, bytes);
}

/** Throws ObjectCorrupt, Untrusted, VaultFormat. */
export function judgeBackup(
  from: Pick<VaultPlace, 'vaultId' | 'roots'>,
  key: string,
  bytes: Uint8Array,
): NamedBackup | 'tombstone' {
  const found = parseAtManifestKey(bytes, key);
  requireAsWritten(key, bytes, found.record);
  if (found.kind === 'tombstone') {
    judgeTombstone(from.roots, from.vaultId, key, found.record);
    return 'tombstone';
  }
  judgeManifest(from.roots, from.vaultId, key, found.record);
  return namedBy(key, found.record.body, found.sha256);
}

function namedBy(key: string, body: ManifestBody, sha256: string): NamedBackup {
  const artifacts = artifactsOf(body);
  return {
    key,
    id: body.id,
    epoch: body.epoch,
    link: {
      signer: body.signer,
      sequence: body.sequence,
      sha256,
      previousSha256: body.previousSha256,
      startedAtMs: Date.parse(body.startedAt),
    },
    sums: [...new Set(artifacts.flatMap(({ sums }) => (sums === undefined ? [] : [sums])))],
    withoutSums: artifacts.filter(({ sums }) => sums === undefined).map(({ root }) => root),
  };
}

/** All that these backups need. Reads each node of checksums once; one that is bad is noted, and what it names is not known. */
export async function readExpected(
  from: VaultPlace,
  backups: readonly NamedBackup[],
  note: Note,
): Promise<ExpectedObjects> {
  const expected = new ExpectedObjects();
  const seen = new Set<string>();
  let level = [...new Set(backups.flatMap(({ sums }) => sums))];
  while (level.length > 0) {
    const next = new Set<string>();
    for (const id of level) seen.add(id);
    await mapBounded(level, READS_AT_ONCE, async (id) => {
      from.signal.throwIfAborted();
      const key = objectKey('sums', id);
      expected.add(key, { sizeBytes: 0, sha256: undefined });
      const node = await noting(key, note, () => readSums(from.store, id));
      for (const [object, sizeBytes, sha256] of node?.objects ?? []) {
        expected.add(object, { sizeBytes, sha256: sha256 ?? undefined });
      }
      for (const child of node?.children ?? []) if (!seen.has(child)) next.add(child);
    });
    level = [...next];
  }
  return expected;
}

/** For each of these keys the backups that need it, as the vault is now. Keys that nobody names any more are left out. */
export async function backupsNaming(from: VaultPlace, keys: ReadonlySet<string>): Promise<Map<string, string[]>> {
  const ignore: Note = () => undefined;
  const memo = new Map<string, Promise<ReadonlySet<string>>>();
  const below = (id: string): Promise<ReadonlySet<string>> => {
    const known = memo.get(id);
    if (known !== undefined) return known;
    const found = badBelow(from, id, keys, below, ignore);
    memo.set(id, found);
    return found;
  };
  const naming = new Map<string, string[]>();
  for (const backup of await readBackups(from, ignore)) {
    from.signal.throwIfAborted();
    const mine = new Set<string>();
    for (const root of backup.sums) for (const key of await below(root)) mine.add(key);
    if (keys.has(`keys/${backup.epoch}`)) mine.add(`keys/${backup.epoch}`);
    for (const root of backup.withoutSums) if (keys.has(objectKey('lists', root))) mine.add(objectKey('lists', root));
    for (const key of mine) naming.set(key, [...(naming.get(key) ?? []), backup.id]);
  }
  return naming;
}

async function badBelow(
  from: VaultPlace,
  id: string,
  keys: ReadonlySet<string>,
  below: (id: string) => Promise<ReadonlySet<string>>,
  ignore: Note,
): Promise<ReadonlySet<string>> {
  const own = objectKey('sums', id);
  const found = new Set<string>(keys.has(own) ? [own] : []);
  const node = await noting(own, ignore, () => readSums(from.store, id));
  for (const [key] of node?.objects ?? []) if (keys.has(key)) found.add(key);
  for (const child of node?.children ?? []) for (const key of await below(child)) found.add(key);
  return found;
}
