/** Signed records: `body` is the exact text that was signed, so that any program can check it without canonical JSON. */
import type { z } from 'zod';

import { sshPublicKeyOf, sshFingerprint } from '../seal/ssh-key.ts';
import { inspectSshSignature, signSsh, verifySsh } from '../seal/ssh-signature.ts';
import { envelopeSchema, parseRecord, recordBytes } from './formats.ts';

/** What a signature is for: one made for a proof never passes for a manifest. */
export const NAMESPACES = {
  signer: 'holdfast-signer',
  key: 'holdfast-key',
  capture: 'holdfast-capture',
  manifest: 'holdfast-manifest',
  tombstone: 'holdfast-tombstone',
  proof: 'holdfast-proof',
  wal: 'holdfast-wal',
  reading: 'holdfast-reading',
  quarantine: 'holdfast-quarantine',
  sweep: 'holdfast-sweep',
  hold: 'holdfast-hold',
  report: 'holdfast-report',
  audit: 'holdfast-audit',
  generation: 'holdfast-generation',
} as const;
export type Namespace = (typeof NAMESPACES)[keyof typeof NAMESPACES];

/** A key that signs, and the fingerprint records name it by. */
export interface Signer {
  readonly privateKey: string;
  readonly fingerprint: string;
}

export function signerOf(privateKey: string): Signer {
  return { privateKey, fingerprint: sshFingerprint(sshPublicKeyOf(privateKey)) };
}

/** Bytes of a signed record, as they are stored. Signing the same body again gives the same bytes (Ed25519). */
export function signRecord(body: unknown, namespace: Namespace, signer: Signer): Buffer {
  const text = JSON.stringify(body);
  return recordBytes({ body: text, signature: signSsh(signer.privateKey, namespace, text) });
}

export interface OpenedRecord<T> {
  readonly body: T;
  readonly bodyText: string;
  readonly signature: string;
  /** Of the key in the signature; whether that key counts is decided elsewhere. */
  readonly signedBy: string;
}

/** Parses a signed record without judging its signature. Throws ObjectCorrupt, VaultFormat. */
export function readRecord<T>(schema: z.ZodType<T>, bytes: Uint8Array, key: string): OpenedRecord<T> {
  const envelope = parseRecord(envelopeSchema, bytes, key);
  const body = parseRecord(schema, envelope.body, key);
  return { body, bodyText: envelope.body, signature: envelope.signature, signedBy: signedBy(envelope.signature) };
}

/** Throws Untrusted when the record was not signed by this key for this purpose. */
export function checkSignature(record: OpenedRecord<unknown>, publicKey: string, namespace: Namespace): void {
  verifySsh(publicKey, namespace, record.bodyText, record.signature);
}

/** The public key line inside a signature, for records that bring their key along (the root's). */
export function publicKeyIn(signature: string): string {
  return inspectSshSignature(signature).publicKey;
}

function signedBy(signature: string): string {
  try {
    return inspectSshSignature(signature).fingerprint;
  } catch {
    // Not a signature at all: the check of it says so, with the reason.
    return '';
  }
}
