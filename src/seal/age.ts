/** Whole age v1 files in memory: what the `age` program writes and reads. */
import { randomBytes } from 'node:crypto';
import { FILE_KEY_BYTES, headerLength, openHeader, writeHeader } from './age-header.ts';
import { parseIdentities } from './age-keys.ts';
import type { AgeIdentity } from './age-keys.ts';
import { openPayload, payloadLength, sealPayload } from './age-payload.ts';

/** A file key and its header, made once and used for many payloads, each with a nonce of its own. */
export interface AgeSealer {
  readonly fileKey: Uint8Array;
  readonly header: Uint8Array;
}

/** Throws BadInput for recipients that are none. */
export function createSealer(recipients: readonly string[]): AgeSealer {
  const fileKey = randomBytes(FILE_KEY_BYTES);
  return { fileKey, header: writeHeader(fileKey, recipients) };
}

/** How long the age file of so many bytes is. */
export function ageSealedLength(sealer: AgeSealer, plainBytes: number): number {
  return sealer.header.length + payloadLength(plainBytes);
}

/** An age file in a buffer of its own, which can be transferred, or in `out`, which has its exact length. */
export function ageSealWith(
  sealer: AgeSealer,
  plain: Uint8Array,
  out: Uint8Array<ArrayBuffer> = Buffer.allocUnsafeSlow(ageSealedLength(sealer, plain.length)),
): Uint8Array<ArrayBuffer> {
  out.set(sealer.header, 0);
  sealPayload(sealer.fileKey, plain, out, sealer.header.length);
  return out;
}

/** An age file for these recipients (`age1…`). Throws BadInput. */
export function ageSeal(plain: Uint8Array, recipients: readonly string[]): Uint8Array {
  return ageSealWith(createSealer(recipients), plain);
}

/** Throws WrongIdentity, ObjectCorrupt, and BadInput for an identity that is none. */
export function ageOpen(sealed: Uint8Array, identities: readonly string[]): Uint8Array {
  return new AgeOpener(parseIdentities(identities)).open(sealed);
}

/** Opens many files; headers seen lately are not opened again, because all chunks of a capture share one. */
export class AgeOpener {
  readonly #identities: readonly AgeIdentity[];
  readonly #fileKeys = new Map<string, Buffer>();

  constructor(identities: readonly AgeIdentity[]) {
    this.#identities = identities;
  }

  /** The plain bytes, which lie in `room` when they fit into it, else in a buffer of their own. */
  open(sealed: Uint8Array, room?: Buffer<ArrayBuffer>): Buffer {
    const length = headerLength(sealed);
    return openPayload(this.#fileKey(sealed.subarray(0, length)), sealed.subarray(length), room);
  }

  #fileKey(header: Uint8Array): Buffer {
    const name = Buffer.from(header.buffer, header.byteOffset, header.length).toString('latin1');
    const known = this.#fileKeys.get(name);
    if (known !== undefined) return known;
    const fileKey = openHeader(header, this.#identities);
    if (this.#fileKeys.size >= 64) this.#fileKeys.clear();
    this.#fileKeys.set(name, fileKey);
    return fileKey;
  }
}
