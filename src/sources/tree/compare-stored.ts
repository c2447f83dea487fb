/** Compares files of a live tree with what a stored tar of it gives back, byte for byte. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { ArtifactReader } from '../../part.ts';
import { pathArgument, type ByteString } from '../byte-string.ts';
import { pathInTree, type TarEntry } from '../extract/tar-format.ts';
import { TarParser } from '../extract/tar-parser.ts';
import { isMissing } from '../io-errors.ts';

/** A regular file as a scan saw it. */
export interface SeenFile {
  readonly absolute: ByteString;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
}

export type Comparison = 'same' | 'differs' | 'changed';

/**
 * Of the files in `wanted`, by their path in the tar, those that the artifact holds: `same` when what was read back are
 * the bytes that lie there now; `changed` when the file is no longer the one that the scan saw. What the artifact does
 * not hold is absent. Reads the artifact to its end, so that it is known to be whole. Throws ArchiveBroken and what the
 * reader throws.
 */
export async function compareStored(
  artifact: ArtifactReader,
  wanted: ReadonlyMap<ByteString, SeenFile>,
  options: { readonly signal: AbortSignal; readonly onProgress?: (bytesDone: number) => void },
): Promise<Map<ByteString, Comparison>> {
  const stored = await digestsOf(artifact, wanted, options);
  const found = new Map<ByteString, Comparison>();
  for (const [path, { sizeBytes, sha256 }] of stored) {
    options.signal.throwIfAborted();
    const seen = wanted.get(path);
    if (seen === undefined) continue;
    if (sizeBytes !== seen.sizeBytes) found.set(path, 'differs');
    else found.set(path, await compareLive(seen, sha256, options.signal));
  }
  return found;
}

interface Stored {
  readonly sizeBytes: number;
  readonly sha256: string;
}

async function digestsOf(
  artifact: ArtifactReader,
  wanted: ReadonlyMap<ByteString, SeenFile>,
  options: { readonly signal: AbortSignal; readonly onProgress?: (bytesDone: number) => void },
): Promise<Map<ByteString, Stored>> {
  const stored = new Map<ByteString, Stored>();
  let current: { path: ByteString; sizeBytes: number; hash: ReturnType<typeof createHash> } | undefined;
  const parser = new TarParser({
    begin: (entry: TarEntry) => {
      const path = pathInTree(entry.path);
      const counts = entry.type === 'file' && wanted.has(path);
      current = counts ? { path, sizeBytes: entry.sizeBytes, hash: createHash('sha256') } : undefined;
    },
    data: (bytes) => void current?.hash.update(bytes),
    finish: () => {
      if (current === undefined) return;
      stored.set(current.path, { sizeBytes: current.sizeBytes, sha256: current.hash.digest('hex') });
      current = undefined;
    },
  });
  let bytesDone = 0;
  for await (const bytes of artifact.read({ signal: options.signal })) {
    parser.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    bytesDone += bytes.byteLength;
    options.onProgress?.(bytesDone);
  }
  parser.end();
  return stored;
}

const READ_BYTES = 1024 * 1024;

async function compareLive(seen: SeenFile, sha256: string, signal: AbortSignal): Promise<Comparison> {
  let handle;
  try {
    handle = await open(pathArgument(seen.absolute), constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isMissing(error)) return 'changed';
    throw error;
  }
  try {
    if (!isAsSeen(seen, await handle.stat({ bigint: true }))) return 'changed';
    const hash = createHash('sha256');
    for await (const bytes of handle.createReadStream({ autoClose: false, highWaterMark: READ_BYTES, signal })) {
      hash.update(bytes as Buffer);
    }
    if (!isAsSeen(seen, await handle.stat({ bigint: true }))) return 'changed';
    return hash.digest('hex') === sha256 ? 'same' : 'differs';
  } finally {
    await handle.close();
  }
}

/** The same file with the same contents, as far as its inode tells. */
export function isAsSeen(
  seen: SeenFile,
  now: { readonly ino: bigint; readonly size: bigint; readonly mtimeNs: bigint; readonly ctimeNs: bigint },
): boolean {
  return (
    now.ino === seen.inode &&
    now.size === BigInt(seen.sizeBytes) &&
    now.mtimeNs === seen.mtimeNs &&
    now.ctimeNs === seen.ctimeNs
  );
}
