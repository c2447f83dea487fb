/** Artifacts kept in memory, as the simplest sink and reader there can be. Small data only. */
import { open } from 'node:fs/promises';
import type { Artifact, ArtifactReader, Piece } from '../../src/part.ts';
import type { CaptureSink } from '../../src/sources/kinds/component.ts';

export interface MemorySink extends CaptureSink {
  readonly readers: ArtifactReader[];
}

export function memorySink(): MemorySink {
  const readers: ArtifactReader[] = [];
  return {
    readers,
    async store(artifact) {
      readers.push(readerOf(artifact, await bytesOf(artifact)));
    },
  };
}

function readerOf(artifact: Artifact, bytes: Buffer): ArtifactReader {
  return {
    name: artifact.name,
    mediaType: artifact.mediaType,
    lengthBytes: bytes.length,
    async *read({ start = 0, end = bytes.length } = {}) {
      await Promise.resolve();
      for (let at = start; at < end; at += 65_536) {
        yield new Uint8Array(bytes.subarray(at, Math.min(at + 65_536, end)));
      }
    },
  };
}

async function bytesOf(artifact: Artifact): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const segment of artifact.segments()) {
    if (segment.kind === 'stream') {
      for await (const bytes of segment.open(new AbortController().signal)) parts.push(bytes);
      continue;
    }
    const recipes = segment.kind === 'chunked' ? segment.open(new AbortController().signal) : segment.recipes();
    for await (const recipe of recipes) {
      for (const piece of recipe.pieces) parts.push(await pieceBytes(piece));
    }
  }
  return Buffer.concat(parts);
}

async function pieceBytes(piece: Piece): Promise<Uint8Array> {
  if (piece.kind === 'bytes') return piece.bytes;
  const file = await open(piece.path, 'r');
  try {
    const bytes = Buffer.alloc(piece.length);
    await file.read(bytes, 0, piece.length, piece.offset);
    return bytes;
  } finally {
    await file.close();
  }
}
