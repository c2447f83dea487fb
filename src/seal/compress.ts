/** zstd (RFC 8878), synchronous: for threads and for small objects. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { HoldfastError } from '../failures.ts';

export const DEFAULT_LEVEL = 1;
/** 8 MiB: twice the largest chunk, so nothing that was written here needs more. */
const MAX_WINDOW_LOG = 23;
const MIN_ZLIB_BUFFER_BYTES = 64;
const USUAL_BUFFER_BYTES = 128 * 1024;

/** How many places zstd remembers to find repetitions at: as its level says, or only the latest few. */
export type Memory = 'usual' | 'short';

/** 256 places. Found by trying 6 to 17 on ledgers, text, programs and small files. */
const SHORT_HASH_LOG = 8;
const SHORT_MIN_MATCH = 6;

/** One frame that states its content size. */
export function compress(
  plain: Uint8Array,
  level: number = DEFAULT_LEVEL,
  memory: Memory = 'usual',
): Buffer<ArrayBuffer> {
  // Room for the worst case (ZSTD_compressBound), so that the result needs one buffer and no joining.
  const bound = plain.length + (plain.length >> 8) + 512;
  const short = { [constants.ZSTD_c_hashLog]: SHORT_HASH_LOG, [constants.ZSTD_c_minMatch]: SHORT_MIN_MATCH };
  return zstdCompressSync(plain, {
    chunkSize: bound,
    pledgedSrcSize: plain.length,
    params: { [constants.ZSTD_c_compressionLevel]: level, ...(memory === 'short' ? short : {}) },
  });
}

/**
 * Throws ObjectCorrupt when the frame is broken or holds more than `maxBytes`; that much memory is never exceeded,
 * whatever the frame claims about itself. `expectedBytes` saves joining when the length is known.
 */
export function decompress(
  packed: Uint8Array,
  maxBytes: number,
  expectedBytes = USUAL_BUFFER_BYTES,
): Buffer<ArrayBuffer> {
  try {
    return zstdDecompressSync(packed, {
      // One byte more than expected, so that the end is seen without a second buffer.
      chunkSize: Math.max(MIN_ZLIB_BUFFER_BYTES, expectedBytes + 1),
      maxOutputLength: Math.max(1, maxBytes),
      rejectGarbageAfterEnd: true,
      params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG },
    });
  } catch (cause) {
    const tooLong = cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
    const what = tooLong ? `unpacks to more than the ${maxBytes} bytes it should hold` : 'has a broken zstd frame';
    throw new HoldfastError('ObjectCorrupt', `A sealed object ${what}.`, { cause });
  }
}
