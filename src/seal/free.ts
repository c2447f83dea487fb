/** Memory outside the JavaScript heap, given back at once. */

/**
 * Frees the bytes now instead of at some later garbage collection; nobody may use them, or any other view of their
 * buffer, afterwards. Without this a thread that allocates a few MiB for every chunk, and hardly any objects, holds a
 * hundred MiB of dead buffers, because the collector runs by objects. Buffers that may be Node's shared pool are left
 * alone: Buffer.allocUnsafe takes what is smaller than half of Buffer.poolSize from it.
 */
export function freeNow(bytes: Uint8Array): void {
  const { buffer } = bytes;
  const notPooled = bytes.length >= Buffer.poolSize >>> 1 || buffer.byteLength > Buffer.poolSize;
  if (notPooled && buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}
