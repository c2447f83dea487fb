/** Epochs: one for each set of recipients. A new one gives new ids, so that nothing sealed to others is reused. */
import { createHash, createHmac, hkdfSync } from 'node:crypto';

import { HoldfastError } from '../failures.ts';
import { openBytes, sealBytes } from '../seal/small.ts';
import type { Store } from '../stores/store.ts';
import { NAMESPACES, readRecord, signRecord, type Signer } from './envelope.ts';
import { keySchema, type KeyRecord } from './formats.ts';
import { FORMAT } from './names.ts';

const KEY_BYTES = 32;

/** What names chunks and lists of one epoch. */
export interface Epoch {
  readonly name: string;
  /** Derived from the chunk-id key for this epoch; 32 bytes. */
  readonly idKey: Uint8Array;
}

/** The name of the epoch of these recipients: their order and repeats do not matter. */
export function epochName(recipients: readonly string[]): string {
  const sorted = [...new Set(recipients.map((one) => one.trim()))].sort();
  return createHash('sha256')
    .update(`holdfast epoch\n${sorted.join('\n')}\n`)
    .digest('hex')
    .slice(0, 16);
}

export function epochOf(recipients: readonly string[], chunkIdKey: Uint8Array): Epoch {
  if (chunkIdKey.length !== KEY_BYTES) {
    throw new HoldfastError('BadInput', `the chunk-id key has ${chunkIdKey.length} bytes instead of ${KEY_BYTES}`);
  }
  if (recipients.length === 0) throw new HoldfastError('BadInput', 'no age recipients are given');
  const name = epochName(recipients);
  return { name, idKey: idKeyOf(name, chunkIdKey) };
}

export function epochKeyPath(epoch: string): string {
  return `keys/${epoch}`;
}

/** The record that keeps the chunk-id key for those who hold an identity. */
export function keyRecordBytes(vaultId: string, recipients: readonly string[], key: Uint8Array, by: Signer): Buffer {
  const epoch = epochOf(recipients, key);
  const sealed = sealBytes(Buffer.from(Buffer.from(key).toString('hex')), recipients);
  const body: KeyRecord = {
    format: FORMAT,
    vaultId,
    epoch: epoch.name,
    recipients: [...recipients],
    sealed: Buffer.from(sealed).toString('base64'),
    check: keyCheck(epoch),
  };
  return signRecord(body, NAMESPACES.key, by);
}

/** Writes the record of a new epoch; one that is there must belong to the same chunk-id key. */
export async function ensureKeyRecord(
  store: Store,
  vaultId: string,
  keys: { recipients: readonly string[]; chunkIdKey: Uint8Array },
  by: Signer,
): Promise<'written' | 'there'> {
  const epoch = epochOf(keys.recipients, keys.chunkIdKey);
  const key = epochKeyPath(epoch.name);
  const there = (await store.head(key)) !== undefined;
  if (!there) {
    const bytes = keyRecordBytes(vaultId, keys.recipients, keys.chunkIdKey, by);
    if ((await store.put(key, bytes, { createOnly: true })) === 'written') return 'written';
  }
  const record = readRecord(keySchema, await store.get(key), key).body;
  if (record.check !== keyCheck(epoch)) {
    throw new HoldfastError(
      'BadInput',
      `the chunk-id key given is not the one this vault uses for epoch ${epoch.name}`,
      {
        hint: 'Give the chunk-id key that `holdfast init` made; with another one nothing stored would be found again.',
      },
    );
  }
  return 'there';
}

/** The key that names chunks of an epoch, for a reader: checks names only. Throws WrongIdentity, ObjectCorrupt. */
export async function openEpoch(store: Store, epoch: string, identities: readonly string[]): Promise<Epoch> {
  const key = epochKeyPath(epoch);
  const record = readRecord(keySchema, await store.get(key), key).body;
  const text = Buffer.from(openBytes(Buffer.from(record.sealed, 'base64'), identities)).toString('utf8');
  const opened = { name: epoch, idKey: idKeyOf(epoch, Buffer.from(text, 'hex')) };
  if (record.epoch !== epoch || record.check !== keyCheck(opened)) {
    throw new HoldfastError('ObjectCorrupt', `${key} does not hold the key of its epoch`, { details: { key } });
  }
  return opened;
}

/** For records of another epoch that the same chunk-id key made. */
export function idKeyOf(epoch: string, chunkIdKey: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', chunkIdKey, '', `holdfast chunk ids ${epoch}`, KEY_BYTES));
}

function keyCheck(epoch: Epoch): string {
  return createHmac('sha256', epoch.idKey).update('holdfast key check').digest('hex').slice(0, 16);
}
