/**
 * A chunk recipe packed into one buffer for a thread: thousands of small pieces cost one transfer instead of thousands
 * of cloned objects. Little endian. A piece of bytes is 0x00, length, bytes; a range is 0x01, path length, path, offset,
 * length, expected size, mtime in ns, inode.
 */
import type { ChunkRecipe, Piece } from '../part.ts';

const BYTES_HEAD = 1 + 4;
const RANGE_HEAD = 1 + 2 + 8 + 4 + 8 + 8 + 8;
const BYTES_KIND = 0;
const RANGE_KIND = 1;

/** What the thread makes of the pieces, in order. `view` is only valid during the call. */
export interface PieceVisitor {
  bytes(view: Buffer): void;
  range(path: Buffer, range: PackedRange): void;
}

export interface PackedRange {
  offset: number;
  length: number;
  sizeBytes: number;
  mtimeNs: bigint;
  inode: bigint;
}

/** A buffer of its own, to be transferred. */
export function packRecipe(recipe: ChunkRecipe): Uint8Array<ArrayBuffer> {
  const paths = recipe.pieces.map(pathLength);
  const total = recipe.pieces.reduce((sum, piece, index) => sum + packedLength(piece, paths[index] ?? 0), 0);
  const out = Buffer.from(new ArrayBuffer(total));
  let at = 0;
  for (const [index, piece] of recipe.pieces.entries()) {
    at = piece.kind === 'bytes' ? packBytes(out, at, piece.bytes) : packRange(out, at, piece, paths[index] ?? 0);
  }
  return out;
}

/** Visits the pieces of a packed recipe. */
export function unpackRecipe(packed: Uint8Array, visitor: PieceVisitor): void {
  const view = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  const range: PackedRange = { offset: 0, length: 0, sizeBytes: 0, mtimeNs: 0n, inode: 0n };
  let at = 0;
  while (at < view.length) {
    if (view[at] === BYTES_KIND) {
      const length = view.readUInt32LE(at + 1);
      at += BYTES_HEAD + length;
      visitor.bytes(view.subarray(at - length, at));
    } else {
      const pathEnd = at + RANGE_HEAD + view.readUInt16LE(at + 1);
      range.offset = view.readDoubleLE(at + 3);
      range.length = view.readUInt32LE(at + 11);
      range.sizeBytes = view.readDoubleLE(at + 15);
      range.mtimeNs = view.readBigInt64LE(at + 23);
      range.inode = view.readBigUInt64LE(at + 31);
      visitor.range(view.subarray(at + RANGE_HEAD, pathEnd), range);
      at = pathEnd;
    }
  }
}

function pathLength(piece: Piece): number {
  if (piece.kind === 'bytes') return 0;
  return typeof piece.path === 'string' ? Buffer.byteLength(piece.path) : piece.path.length;
}

function packedLength(piece: Piece, path: number): number {
  return piece.kind === 'bytes' ? BYTES_HEAD + piece.bytes.length : RANGE_HEAD + path;
}

function packBytes(out: Buffer, at: number, bytes: Uint8Array): number {
  out[at] = BYTES_KIND;
  out.writeUInt32LE(bytes.length, at + 1);
  out.set(bytes, at + BYTES_HEAD);
  return at + BYTES_HEAD + bytes.length;
}

function packRange(out: Buffer, at: number, piece: Extract<Piece, { kind: 'range' }>, path: number): number {
  out[at] = RANGE_KIND;
  out.writeUInt16LE(path, at + 1);
  out.writeDoubleLE(piece.offset, at + 3);
  out.writeUInt32LE(piece.length, at + 11);
  out.writeDoubleLE(piece.expect.sizeBytes, at + 15);
  out.writeBigInt64LE(piece.expect.mtimeNs, at + 23);
  out.writeBigUInt64LE(piece.expect.inode, at + 31);
  if (typeof piece.path === 'string') out.write(piece.path, at + RANGE_HEAD, 'utf8');
  else out.set(piece.path, at + RANGE_HEAD);
  return at + RANGE_HEAD + path;
}
