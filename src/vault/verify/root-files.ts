/** The two files in the root of a vault, which carry no signature of their own. */
import { HoldfastError } from '../../failures.ts';
import { headSchema, parseRecord, recordBytes } from '../formats.ts';
import { recoveryGuide, requireKnownGuide } from '../guide.ts';
import { GUIDE_KEY, HEAD_KEY, sha256Hex } from '../names.ts';
import { noting, type Note, type VaultPlace } from '../store-facts.ts';
import type { TrustRoots } from '../trust.ts';
import type { OtherStore } from './heal.ts';

export interface VaultNamed {
  readonly system: string;
  readonly vaultId: string;
  readonly roots: TrustRoots;
}

/** Notes what is wrong with them. */
export async function lookAtRootFiles(
  vault: VaultNamed & VaultPlace,
  beside: readonly OtherStore[],
  note: Note,
): Promise<void> {
  const { store } = vault;
  const head = await noting(HEAD_KEY, note, async () => {
    const bytes = await store.get(HEAD_KEY);
    checkHead(vault, bytes);
    return bytes;
  });
  if (head !== undefined) await compareHeads(vault, head, beside, note);
  await noting(GUIDE_KEY, note, async () => requireKnownGuide(await store.get(GUIDE_KEY), vault));
}

/** False for any other key. Throws ObjectCorrupt, VaultFormat. */
export function checkRootFile(vault: VaultNamed, key: string, bytes: Uint8Array): boolean {
  if (key === HEAD_KEY) checkHead(vault, bytes);
  else if (key === GUIDE_KEY) requireKnownGuide(bytes, vault);
  else return false;
  return true;
}

/** What can be written anew when no store has it whole. */
export function ownFiles(vault: Pick<VaultNamed, 'system' | 'vaultId'>): ReadonlyMap<string, Uint8Array> {
  return new Map([[GUIDE_KEY, Buffer.from(recoveryGuide(vault))]]);
}

function checkHead({ vaultId, system, roots }: VaultNamed, bytes: Uint8Array): void {
  const head = parseRecord(headSchema, bytes, HEAD_KEY);
  const told = headSha256(roots);
  const fits = told === undefined || told === sha256Hex(bytes);
  if (fits && head.vaultId === vaultId && head.system === system && recordBytes(head).equals(bytes)) return;
  throw new HoldfastError('ObjectCorrupt', `${HEAD_KEY} is not that of this vault of ${system}`);
}

/** By the root's first word that tells it. */
function headSha256({ signers }: TrustRoots): string | undefined {
  const told = [...signers.values()].filter((one) => one.headSha256 !== undefined);
  return told.toSorted((a, b) => a.n - b.n)[0]?.headSha256;
}

/** All stores hold the same. Where the root has not said which, nothing tells which of two is the damaged one. */
async function compareHeads(
  { roots }: VaultNamed,
  head: Uint8Array,
  beside: readonly OtherStore[],
  note: Note,
): Promise<void> {
  if (headSha256(roots) !== undefined) return;
  for (const { name, store } of beside) {
    const other = await store.get(HEAD_KEY).catch(tellsNothing);
    if (other === undefined || Buffer.compare(head, other) === 0) continue;
    const what = `${HEAD_KEY} is another one than in ${name}, and nothing tells which of them is damaged`;
    note(HEAD_KEY, new HoldfastError('ObjectCorrupt', what));
    return;
  }
}

/** A store that can't be asked. */
function tellsNothing(error: unknown): undefined {
  if (!(error instanceof HoldfastError)) throw error;
  return undefined;
}
