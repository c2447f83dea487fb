/**
 * Who may be active, in the authority store: `generations/<n>.json` says which site the n-th activation of a system is
 * for, `generations/<n>.cleared.json` that the sites before are fenced. Both are signed and create-only, and never removed.
 */
import { HoldfastError } from '../../failures.ts';
import type { Store } from '../../stores/store.ts';
import { NAMESPACES, signRecord, type Signer } from '../envelope.ts';
import { getIfThere } from '../get-if-there.ts';
import { keysIn } from '../listed.ts';
import { FORMAT, sha256Hex } from '../names.ts';
import type { TrustRoots } from '../trust.ts';
import { clearedSchema, generationSchema, judgedRecord, type ClearedBody, type GenerationBody } from './judge.ts';

export interface GenerationRecord extends GenerationBody {
  readonly sha256: string;
  readonly cleared?: ClearedBody;
}

/** The authority store, opened, with whose word counts there. */
export interface Authority {
  readonly store: Store;
  readonly vaultId: string;
  readonly roots: TrustRoots;
}

export function generationKeyOf(n: number): string {
  return `generations/${String(n).padStart(8, '0')}.json`;
}

function clearedKeyOf(n: number): string {
  return `generations/${String(n).padStart(8, '0')}.cleared.json`;
}

/**
 * The generation with the highest number; undefined where there is none. Throws Untrusted, ObjectCorrupt or VaultFormat when
 * it can't be believed: then nobody knows who is active, and an older one is no answer.
 */
export async function newestGeneration(from: Authority): Promise<GenerationRecord | undefined> {
  const [newest] = numbersIn(await keysIn(from.store, 'generations/')).toReversed();
  return newest === undefined ? undefined : readGeneration(from, newest);
}

/** All of them, ascending. Throws as `newestGeneration`, and Untrusted when their chain is broken. */
export async function readGenerations(from: Authority): Promise<GenerationRecord[]> {
  const records: GenerationRecord[] = [];
  for (const n of numbersIn(await keysIn(from.store, 'generations/'))) {
    const record = await readGeneration(from, n);
    const before = records.at(-1)?.sha256 ?? null;
    if (record.n !== records.length + 1 || record.previousSha256 !== before) {
      throw new HoldfastError('Untrusted', `${record.key} does not follow generation ${records.length}`);
    }
    records.push(record);
  }
  return records;
}

export type Raised =
  | { readonly kind: 'raised'; readonly record: GenerationRecord }
  /** Somebody else was first. */
  | { readonly kind: 'taken'; readonly by: GenerationRecord };

/**
 * Makes a site the next to be active. Exactly one raise gets a number; a repeat with the same `raiseId` gets its own again.
 * Throws Untrusted, and writes nothing, when its own signer is not admitted. The stack of that site may run only once it is cleared.
 */
export async function raiseGeneration(
  from: Authority,
  given: Pick<GenerationBody, 'site' | 'raiseId' | 'origin' | 'by' | 'digest'> & { readonly n: number },
  { signer, atMs }: { readonly signer: Signer; readonly atMs: number },
): Promise<Raised> {
  const { n, ...rest } = given;
  const before = n === 1 ? undefined : await readGeneration(from, n - 1);
  const key = generationKeyOf(n);
  const body: GenerationBody = {
    ...{ format: FORMAT, kind: 'generation', key, vaultId: from.vaultId, n },
    ...rest,
    ...{ at: new Date(atMs).toISOString(), previousSha256: before?.sha256 ?? null, signer: signer.fingerprint },
  };
  const bytes = signRecord(body, NAMESPACES.generation, signer);
  // Judged as everybody else will: one that nobody can believe would stop the stack at every site.
  judgedRecord(from, key, bytes, generationSchema);
  await from.store.put(key, bytes, { createOnly: true });
  await from.store.sync();
  const record = await readGeneration(from, n);
  return record.raiseId === given.raiseId ? { kind: 'raised', record } : { kind: 'taken', by: record };
}

/** Says that the sites before are fenced. A repeat changes nothing; what stands there first counts. */
export async function clearGeneration(
  from: Authority,
  generation: Pick<GenerationRecord, 'n' | 'sha256'>,
  given: Pick<ClearedBody, 'fencing' | 'evidence' | 'by'>,
  { signer, atMs }: { readonly signer: Signer; readonly atMs: number },
): Promise<GenerationRecord> {
  const key = clearedKeyOf(generation.n);
  const body: ClearedBody = {
    ...{ format: FORMAT, kind: 'cleared', key, vaultId: from.vaultId, n: generation.n },
    generationSha256: generation.sha256,
    ...given,
    ...{ at: new Date(atMs).toISOString(), signer: signer.fingerprint },
  };
  const bytes = signRecord(body, NAMESPACES.generation, signer);
  judgedRecord(from, key, bytes, clearedSchema);
  await from.store.put(key, bytes, { createOnly: true });
  await from.store.sync();
  return readGeneration(from, generation.n);
}

/** Throws Untrusted when nobody would believe what this key says of sites. Writes nothing. */
export function requireBelieved(from: Authority, signer: Signer, atMs: number): void {
  const key = generationKeyOf(1);
  const body: GenerationBody = {
    ...{ format: FORMAT, kind: 'generation', key, vaultId: from.vaultId, n: 1, site: 'nowhere', raiseId: 'nobody' },
    ...{ at: new Date(atMs).toISOString(), previousSha256: null, signer: signer.fingerprint },
  };
  judgedRecord(from, key, signRecord(body, NAMESPACES.generation, signer), generationSchema);
}

async function readGeneration(from: Authority, n: number): Promise<GenerationRecord> {
  const key = generationKeyOf(n);
  const bytes = await from.store.get(key);
  const body = judgedRecord(from, key, bytes, generationSchema);
  if (body.n !== n) throw new HoldfastError('Untrusted', `${key} calls itself number ${body.n}`);
  const sha256 = sha256Hex(bytes);
  const cleared = await readCleared(from, n, sha256);
  return { ...body, sha256, ...(cleared === undefined ? {} : { cleared }) };
}

async function readCleared(from: Authority, n: number, sha256: string): Promise<ClearedBody | undefined> {
  const key = clearedKeyOf(n);
  const bytes = await getIfThere(from.store, key);
  if (bytes === undefined) return undefined;
  const body = judgedRecord(from, key, bytes, clearedSchema);
  if (body.n === n && body.generationSha256 === sha256) return body;
  throw new HoldfastError('Untrusted', `${key} was written for another generation`);
}

/** Ascending. */
function numbersIn(keys: readonly string[]): number[] {
  return keys
    .flatMap((key) => /^generations\/(\d{8,})\.json$/.exec(key)?.[1] ?? [])
    .map(Number)
    .toSorted((one, other) => one - other);
}
