/** Reads artifacts without a vault: what a capture would store, and a reader for what a restore would get. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type {
  Artifact,
  ArtifactReader,
  ChunkRecipe,
  MediaType,
  Piece,
  Segment,
  StreamSegment,
} from '../../src/part.ts';
import { MAX_CHUNK_BYTES } from '../../src/part.ts';

export interface Materialised {
  readonly bytes: Buffer;
  readonly chunks: readonly Buffer[];
  readonly segments: readonly { fingerprint: string | undefined; settled: boolean; bytes: number; files: number }[];
}

/** Every byte of an artifact; segments with a fingerprint in `known` are skipped, as a vault does. */
export async function materialise(artifact: Artifact, known: ReadonlySet<string> = new Set()): Promise<Materialised> {
  const chunks: Buffer[] = [];
  const segments = [];
  for await (const segment of artifact.segments()) {
    const before = chunks.length;
    const fingerprint = segment.kind === 'recipes' ? segment.fingerprint : undefined;
    if (fingerprint === undefined || !known.has(fingerprint)) {
      for await (const chunk of chunksOf(segment)) chunks.push(chunk);
    }
    const bytes = chunks.slice(before).reduce((sum, chunk) => sum + chunk.length, 0);
    if (segment.kind !== 'recipes') segments.push({ fingerprint, settled: false, bytes, files: 0 });
    else {
      segments.push({ fingerprint, settled: segment.settled, bytes, files: segment.files });
      if (bytes !== segment.lengthBytes && bytes !== 0) throw new Error('a segment is not as long as it says');
    }
  }
  return { bytes: Buffer.concat(chunks), chunks, segments };
}

async function* chunksOf(segment: Segment): AsyncGenerator<Buffer> {
  if (segment.kind === 'stream') {
    for await (const bytes of segment.open(new AbortController().signal)) yield Buffer.from(bytes);
    return;
  }
  for await (const recipe of recipesOf(segment)) {
    const chunk = Buffer.concat(await Promise.all(recipe.pieces.map(pieceBytes)));
    if (chunk.length !== recipe.lengthBytes) throw new Error('a chunk is not as long as its recipe says');
    if (chunk.length === 0 || chunk.length > MAX_CHUNK_BYTES) throw new Error(`a chunk of ${chunk.length} bytes`);
    yield chunk;
  }
}

function recipesOf(segment: Exclude<Segment, StreamSegment>): Iterable<ChunkRecipe> | AsyncIterable<ChunkRecipe> {
  return segment.kind === 'chunked' ? segment.open(new AbortController().signal) : segment.recipes();
}

async function pieceBytes(piece: Piece): Promise<Buffer> {
  if (piece.kind === 'bytes') return Buffer.from(piece.bytes);
  const handle = await open(piece.path, 'r');
  try {
    const bytes = Buffer.alloc(piece.length);
    const { bytesRead } = await handle.read(bytes, 0, piece.length, piece.offset);
    if (bytesRead !== piece.length) throw new Error('a file is shorter than it was');
    return bytes;
  } finally {
    await handle.close();
  }
}

/** Pieces of a size that fits nothing, so that every boundary of a reader is met. */
export function readerOf(name: string, mediaType: MediaType, bytes: Buffer, pieceBytes = 70_001): ArtifactReader {
  return {
    name,
    mediaType,
    lengthBytes: bytes.length,
    async *read(options = {}) {
      const end = options.end ?? bytes.length;
      for (let at = options.start ?? 0; at < end; at += pieceBytes) {
        await Promise.resolve();
        yield new Uint8Array(bytes.subarray(at, Math.min(at + pieceBytes, end)));
      }
    },
  };
}

export function fileReader(path: string, bytes: number): AsyncIterable<Uint8Array> {
  return createReadStream(path, { highWaterMark: 1024 * 1024, end: Math.max(0, bytes - 1) });
}
