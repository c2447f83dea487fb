/** Keys of a vault's objects, and the small rules that all of them follow. docs/FORMAT.md specifies them. */
import { createHash } from 'node:crypto';

export const FORMAT = 1;
export const HEAD_KEY = 'holdfast.json';
export const GUIDE_KEY = 'RECOVERY.md';

/** Where the objects lie that a backup is made of. */
export type Room = 'chunks' | 'lists' | 'sums';

/** `chunks/ab/abcd…`: the first two digits spread the objects over directories. */
export function objectKey(room: Room, id: string): string {
  return `${room}/${id.slice(0, 2)}/${id}`;
}

/** The room and id of an object's key, or undefined when the key is not one. */
export function parseObjectKey(key: string): { room: Room; id: string } | undefined {
  const found = /^(chunks|lists|sums)\/([0-9a-f]{2})\/(\2[0-9a-f]{62})$/.exec(key);
  if (found === null) return undefined;
  return { room: found[1] as Room, id: found[3] ?? '' };
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Twelve hex digits that a capture id always gives: a repeat finds what it made. */
export function backupIdOf(vaultId: string, captureId: string): string {
  return createHash('sha256').update(`holdfast backup id\n${vaultId}\n${captureId}`).digest('hex').slice(0, 12);
}

/** `20261121T114500Z`, so that names sort by time. */
export function compactTime(atMs: number): string {
  return new Date(atMs)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:]/g, '');
}

export function manifestKeyOf(plan: string, startedAtMs: number, backupId: string): string {
  return `backups/${plan}/${compactTime(startedAtMs)}-${backupId}.json`;
}

/** The id of a backup, from the name of its manifest; undefined when the key is no manifest's. */
export function backupIdOfKey(manifestKey: string): string | undefined {
  return /^backups\/[A-Za-z0-9._-]+\/\d{8}T\d{6}Z-([0-9a-f]{12})\.json$/.exec(manifestKey)?.[1];
}

export function captureKeyOf(backupId: string): string {
  return `captures/${backupId}.json`;
}

export function backupIdOfCapture(captureKey: string): string {
  return captureKey.slice('captures/'.length, -'.json'.length);
}

/** A verdict's name says when and how; the digest makes it one of its own. */
export function proofKeyOf(manifestKey: string, level: string, atMs: number, digest: string): string {
  return `proofs/${backupIdOfKey(manifestKey) ?? 'unknown'}/${compactTime(atMs)}-${level}-${digest.slice(0, 12)}.json`;
}
