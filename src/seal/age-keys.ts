/** X25519 keys of age v1 (C2SP age.md): `AGE-SECRET-KEY-1…` identities and `age1…` recipients, on the platform's crypto. */
import { createPrivateKey, createPublicKey, diffieHellman, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { HoldfastError } from '../failures.ts';
import { bech32Decode, bech32Encode } from './bech32.ts';

const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI_X25519 = Buffer.from('302a300506032b656e032100', 'hex');

/** An identity ready for use: the platform's key and its public bytes. */
export interface AgeIdentity {
  readonly key: KeyObject;
  readonly publicBytes: Uint8Array;
}

export interface AgeKeyPair {
  /** `AGE-SECRET-KEY-1…`: a secret. */
  readonly identity: string;
  /** `age1…` */
  readonly recipient: string;
}

/** A new random identity and its recipient. */
export function generateAgeIdentity(): AgeKeyPair {
  const secret = randomBytes(32);
  const identity = bech32Encode('age-secret-key-', secret).toUpperCase();
  return { identity, recipient: bech32Encode('age', privateFromBytes(secret).publicBytes) };
}

/** The recipient of an identity. Throws BadInput. */
export function recipientOf(identity: string): string {
  return bech32Encode('age', parseIdentity(identity).publicBytes);
}

/** Throws BadInput; the message never repeats the identity. */
export function parseIdentity(text: string): AgeIdentity {
  const bytes = decode(text.trim(), 'age-secret-key-', 'An age identity (AGE-SECRET-KEY-1…)');
  return privateFromBytes(bytes);
}

/**
 * Identities in the text of an identity file: one a line, empty lines and `#` comments ignored, as `age -i` reads it.
 * Throws BadInput when there is none.
 */
export function parseIdentities(texts: readonly string[]): AgeIdentity[] {
  const lines = texts.flatMap((text) => text.split('\n')).map((line) => line.trim());
  const found = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (found.length === 0) throw new HoldfastError('BadInput', 'No age identity was given.');
  return found.map(parseIdentity);
}

/** The 32 public bytes of a recipient. Throws BadInput. */
export function parseRecipient(text: string): Uint8Array {
  // Its beginning only: an identity may stand here by mistake.
  return decode(text.trim(), 'age', `The age recipient ${JSON.stringify(`${text.trim().slice(0, 12)}…`)}`);
}

/** X25519 with a fresh ephemeral key or an identity's. Throws a plain Error when the point has a low order. */
export function sharedSecret(key: KeyObject, publicBytes: Uint8Array): Buffer {
  const point = createPublicKey({ key: Buffer.concat([SPKI_X25519, publicBytes]), format: 'der', type: 'spki' });
  const secret = diffieHellman({ privateKey: key, publicKey: point });
  if (secret.every((byte) => byte === 0)) throw new Error('low-order point');
  return secret;
}

/** A one-time key. */
export function ephemeralKey(): AgeIdentity {
  return privateFromBytes(randomBytes(32));
}

function privateFromBytes(secret: Uint8Array): AgeIdentity {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_X25519, secret]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return { key, publicBytes: spki.subarray(SPKI_X25519.length) };
}

function decode(text: string, prefix: string, what: string): Uint8Array {
  let found;
  try {
    found = bech32Decode(text);
  } catch (cause) {
    throw new HoldfastError('BadInput', `${what} ${cause instanceof Error ? cause.message : 'cannot be read'}.`);
  }
  if (found.prefix !== prefix || found.bytes.length !== 32) {
    throw new HoldfastError('BadInput', `${what} is of another type; X25519 keys are supported.`);
  }
  return found.bytes;
}
