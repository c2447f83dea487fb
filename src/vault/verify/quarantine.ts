/**
 * Where bad objects are put aside, and how captures learn of it. Both names of a case tell what it is of:
 * `quarantine/<key>-<time>-<digest>` holds the bytes as they were found, the same with `.json` says what became of them.
 */
import { z } from 'zod';
import { HoldfastError } from '../../failures.ts';
import type { Store } from '../../stores/store.ts';
import { NAMESPACES, signRecord, type Signer } from '../envelope.ts';
import type { KnownObjects } from '../known-objects.ts';
import { keysIn } from '../listed.ts';
import { compactTime, FORMAT, parseObjectKey, sha256Hex } from '../names.ts';

const CASE = /^quarantine\/(?<key>.+)-\d{8}T\d{6}Z-[0-9a-f]{12}(?:\.json)?$/;

export const quarantineSchema = z.object({
  format: z.literal(FORMAT),
  vaultId: z.string(),
  /** Its own key, without `.json` that of the bytes. */
  key: z.string(),
  /** What was bad. */
  object: z.string(),
  code: z.string(),
  what: z.string(),
  outcome: z.enum(['healed', 'removed']),
  /** The store a good copy came from. */
  from: z.string().exactOptional(),
  at: z.string(),
  signer: z.string(),
});
export type QuarantineBody = z.infer<typeof quarantineSchema>;

/** The key of the object that a case is of, or undefined. */
export function objectOfCase(key: string): string | undefined {
  return CASE.exec(key)?.groups?.['key'];
}

/** Names the bytes as found; equal for equal bytes in the same second. */
export function caseKey(object: string, atMs: number, bytes: Uint8Array): string {
  return `quarantine/${object}-${compactTime(atMs)}-${sha256Hex(bytes).slice(0, 12)}`;
}

export async function writeCase(store: Store, body: Omit<QuarantineBody, 'signer'>, signer: Signer): Promise<void> {
  const bytes = signRecord({ ...body, signer: signer.fingerprint }, NAMESPACES.quarantine, signer);
  await store.put(body.key, bytes, { createOnly: true });
}

/**
 * The cache forgets what was put aside since its last look: until it is found again it may not be there, and what was
 * stored in its place has other bytes. Names tell all, so that a host needs no right to read them. Without a memory of
 * what it has seen it forgets all of them, which costs a write that finds them there.
 */
export async function heedQuarantine(store: Store, known: KnownObjects): Promise<void> {
  const seen = known.readCasesSeen();
  const cases = await keysIn(store, 'quarantine/');
  const unseen = cases.filter((key) => !seen.has(key));
  if (unseen.length === 0) return;
  for (const key of unseen) {
    const object = parseObjectKey(objectOfCase(key) ?? '');
    if (object !== undefined) known.forget(object.room, object.id);
  }
  await known.settle(() => store.sync());
  known.writeCasesSeen(cases);
}

/** Throws ObjectCorrupt when the bytes are other ones than those that were judged. */
export function requireSame(key: string, judged: Uint8Array, now: Uint8Array): void {
  if (Buffer.compare(judged, now) === 0) return;
  throw new HoldfastError('ObjectCorrupt', `${key} was changed by somebody else while it was healed`);
}
