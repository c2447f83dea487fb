/** Holds: signed, create-only records that keep a backup whatever its plan says, and the records that release them. */
import { z } from 'zod';

import { HoldfastError } from '../../failures.ts';
import type { Store } from '../../stores/store.ts';
import { NAMESPACES, readRecord, signRecord, type OpenedRecord, type Signer } from '../envelope.ts';
import { keysIn } from '../listed.ts';
import { mapBounded } from '../mutex.ts';
import { backupIdOfKey, compactTime, FORMAT, sha256Hex } from '../names.ts';
import { checkClaim, type TrustRoots } from '../trust.ts';

const READS_AT_ONCE = 16;
const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'not a time');

export const holdSchema = z.object({
  format: z.literal(FORMAT),
  kind: z.enum(['hold', 'release']),
  /** Its own key, so that a copy under another name shows. */
  key: z.string(),
  vaultId: z.string(),
  /** The manifest that is held. */
  manifestKey: z.string(),
  /** Of a release: the hold that it ends. */
  hold: z.string().exactOptional(),
  why: z.string(),
  by: z.string(),
  at: time,
  signer: z.string(),
});
export type HoldBody = z.infer<typeof holdSchema>;

export interface Hold {
  readonly key: string;
  readonly backupId: string;
  readonly why: string;
  readonly by?: string;
  readonly at?: string;
  /** It keeps its backup all the same: nothing is deleted because a record can't be read. */
  readonly doubt?: string;
}

export interface HoldTrust {
  readonly vaultId: string;
  readonly roots: TrustRoots;
}

/** Writes a hold; of the same backup there may be many, each with its reason. Returns its key. */
export async function writeHold(
  store: Store,
  given: { readonly vaultId: string; readonly signer: Signer; readonly atMs: number },
  hold: { readonly manifestKey: string; readonly why: string; readonly by: string; readonly releases?: string },
): Promise<string> {
  const backupId = backupIdOfKey(hold.manifestKey);
  if (backupId === undefined)
    throw new HoldfastError('BackupMissing', `${hold.manifestKey} is not the name of a backup`);
  const digest = sha256Hex(Buffer.from(`${hold.releases ?? ''}\n${hold.why}\n${hold.by}\n${given.atMs}`)).slice(0, 12);
  const kind = hold.releases === undefined ? 'hold' : 'release';
  const key = `holds/${backupId}/${compactTime(given.atMs)}-${digest}.${kind}.json`;
  const body: HoldBody = {
    format: FORMAT,
    kind,
    key,
    vaultId: given.vaultId,
    manifestKey: hold.manifestKey,
    ...(hold.releases === undefined ? {} : { hold: hold.releases }),
    why: hold.why,
    by: hold.by,
    at: new Date(given.atMs).toISOString(),
    signer: given.signer.fingerprint,
  };
  await store.put(key, signRecord(body, NAMESPACES.hold, given.signer), { createOnly: true });
  await store.sync();
  return key;
}

/**
 * The holds that stand, by backup id. A release counts only when it can be trusted and was signed by the key of the hold
 * itself, or by a keeper or an operator: a capturing host can't end what others hold. A hold that can't be trusted or read
 * stands, and says so.
 */
export async function readHolds(store: Store, trust: HoldTrust, prefix = 'holds/'): Promise<Map<string, Hold[]>> {
  const keys = await keysIn(store, prefix);
  const read = await mapBounded(keys, READS_AT_ONCE, (key) => readOne(store, trust, key));
  const released = new Set(read.flatMap((one) => (one.release === undefined ? [] : endedBy(one.release, read, trust))));
  const standing = read.flatMap(({ hold }) => (hold === undefined || released.has(hold.key) ? [] : [hold]));
  return Map.groupBy(standing, ({ backupId }) => backupId);
}

interface Read {
  readonly hold?: Hold;
  readonly release?: HoldBody;
  readonly signer?: string;
}

async function readOne(store: Store, trust: HoldTrust, key: string): Promise<Read> {
  const backupId = key.split('/')[1] ?? '';
  let record: OpenedRecord<HoldBody> | undefined;
  try {
    record = readRecord(holdSchema, await store.get(key), key);
    const { body } = record;
    if (body.key !== key) throw new HoldfastError('Untrusted', `it was written as ${body.key}`);
    checkClaim(trust.roots, record, { namespace: NAMESPACES.hold, vaultId: trust.vaultId, at: body.at });
    if (body.kind === 'release') return { release: body };
    return { hold: { key, backupId, why: body.why, by: body.by, at: body.at }, signer: body.signer };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
    if (key.endsWith('.release.json')) return {};
    return { hold: { key, backupId, why: record?.body.why ?? 'a hold that cannot be read', doubt: error.message } };
  }
}

function endedBy(release: HoldBody, read: readonly Read[], { roots }: HoldTrust): string[] {
  const hold = read.find((one) => one.hold?.key === release.hold);
  if (hold?.hold === undefined || !release.key.startsWith(`holds/${hold.hold.backupId}/`)) return [];
  const role = roots.signers.get(release.signer)?.role;
  return release.signer === hold.signer || role === 'keeper' || role === 'operator' ? [hold.hold.key] : [];
}
