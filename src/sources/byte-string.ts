/**
 * File names are bytes, not text. Inside this room they travel as strings with one character a byte (latin1): small,
 * quick to join, and their natural order is the order of the bytes.
 */

const ASCII = /^[\0-\x7f]*$/;

export type ByteString = string;

export function bytesOf(name: ByteString): Buffer {
  return Buffer.from(name, 'latin1');
}

export function byteString(path: string | Uint8Array): ByteString {
  const bytes =
    typeof path === 'string' ? Buffer.from(path) : Buffer.from(path.buffer, path.byteOffset, path.byteLength);
  return bytes.toString('latin1');
}

/** What file calls take: a string when bytes and text are the same, else the bytes. */
export function pathArgument(path: ByteString): string | Buffer {
  return ASCII.test(path) ? path : bytesOf(path);
}

export function isAscii(text: ByteString): boolean {
  return ASCII.test(text);
}

/** For messages: the name as UTF-8, with a mark where it is none. */
export function displayName(name: ByteString): string {
  return ASCII.test(name) ? name : bytesOf(name).toString();
}
