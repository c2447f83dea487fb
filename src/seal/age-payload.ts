/** The payload of an age v1 file: STREAM of ChaCha20-Poly1305 in pieces of 64 KiB, under a key bound to a nonce. */
import { createCipheriv, createDecipheriv, randomFillSync } from 'node:crypto';
import { HoldfastError } from '../failures.ts';
import { freeNow } from './free.ts';
import { hkdf } from './age-header.ts';

const PIECE_BYTES = 64 * 1024;
const TAG_BYTES = 16;
const NONCE_BYTES = 16;
const SEALED_PIECE_BYTES = PIECE_BYTES + TAG_BYTES;
const NO_ROOM = Buffer.alloc(0);
const AEAD = { authTagLength: TAG_BYTES } as const;

function pieceCount(plainBytes: number): number {
  return Math.max(1, Math.ceil(plainBytes / PIECE_BYTES));
}

/** Length of the payload, nonce included, of that many plain bytes. */
export function payloadLength(plainBytes: number): number {
  return NONCE_BYTES + plainBytes + pieceCount(plainBytes) * TAG_BYTES;
}

/** Writes the payload of `plain` into `out` at `offset`, under a fresh nonce; `out` must have `payloadLength` there. */
export function sealPayload(fileKey: Uint8Array, plain: Uint8Array, out: Uint8Array, offset: number): void {
  const nonce = out.subarray(offset, offset + NONCE_BYTES);
  randomFillSync(nonce);
  const key = hkdf(fileKey, nonce, 'payload');
  const pieces = pieceCount(plain.length);
  let at = offset + NONCE_BYTES;
  for (let index = 0; index < pieces; index += 1) {
    const start = index * PIECE_BYTES;
    const cipher = createCipheriv('chacha20-poly1305', key, pieceNonce(index, index === pieces - 1), AEAD);
    const sealed = cipher.update(plain.subarray(start, start + PIECE_BYTES));
    cipher.final();
    out.set(sealed, at);
    out.set(cipher.getAuthTag(), at + sealed.length);
    at += sealed.length + TAG_BYTES;
    freeNow(sealed);
  }
}

/**
 * The plain bytes of a payload, in `room` when they fit into it, else in a buffer of their own. Throws ObjectCorrupt when
 * a byte was changed, cut off, added or moved.
 */
export function openPayload(fileKey: Uint8Array, payload: Uint8Array, room = NO_ROOM): Buffer {
  const total = payload.length - NONCE_BYTES;
  const pieces = Math.ceil(total / SEALED_PIECE_BYTES);
  const lastBytes = total - (pieces - 1) * SEALED_PIECE_BYTES - TAG_BYTES;
  if (pieces < 1 || lastBytes < 0 || (lastBytes === 0 && pieces > 1)) throw broken('its payload is cut off');
  const key = hkdf(fileKey, payload.subarray(0, NONCE_BYTES), 'payload');
  const plainBytes = total - pieces * TAG_BYTES;
  const plain = plainBytes <= room.length ? room.subarray(0, plainBytes) : Buffer.allocUnsafeSlow(plainBytes);
  for (let index = 0; index < pieces; index += 1) {
    const start = NONCE_BYTES + index * SEALED_PIECE_BYTES;
    const end = Math.min(start + SEALED_PIECE_BYTES, payload.length);
    const cipher = createDecipheriv('chacha20-poly1305', key, pieceNonce(index, index === pieces - 1), AEAD);
    cipher.setAuthTag(payload.subarray(end - TAG_BYTES, end));
    const piece = cipher.update(payload.subarray(start, end - TAG_BYTES));
    plain.set(piece, index * PIECE_BYTES);
    freeNow(piece);
    try {
      cipher.final();
    } catch {
      throw broken(`bytes ${start} to ${end} of its payload were changed or cut off`);
    }
  }
  return plain;
}

function pieceNonce(counter: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(counter, 7);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

function broken(what: string): HoldfastError {
  return new HoldfastError('ObjectCorrupt', `A sealed object cannot be opened: ${what}.`);
}
