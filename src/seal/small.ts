/** Small objects, sealed and opened where they are: the same format as chunks, age(zstd(bytes)). */
import { createHmac } from 'node:crypto';
import { ageOpen, ageSeal } from './age.ts';
import { compress, decompress } from './compress.ts';

/** What `openBytes` unpacks at most unless told otherwise. */
export const MAX_SMALL_BYTES = 64 * 1024 * 1024;

/** age(zstd(bytes)) for these recipients. Blocks the event loop: for objects up to about a MiB. Throws BadInput. */
export function sealBytes(bytes: Uint8Array, recipients: readonly string[]): Uint8Array {
  return ageSeal(compress(bytes), recipients);
}

/** Throws WrongIdentity, ObjectCorrupt (also when it unpacks to more than `maxBytes`), BadInput. */
export function openBytes(sealed: Uint8Array, identities: readonly string[], maxBytes = MAX_SMALL_BYTES): Uint8Array {
  return decompress(ageOpen(sealed, identities), maxBytes);
}

/** The name of a chunk or list node: HMAC-SHA-256 of its plain bytes under the chunk-id key, 64 hex digits. */
export function chunkId(key: Uint8Array, ...pieces: readonly Uint8Array[]): string {
  const hmac = createHmac('sha256', key);
  for (const piece of pieces) hmac.update(piece);
  return hmac.digest('hex');
}
