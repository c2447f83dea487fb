/** The header of an age v1 file (C2SP age.md): wraps one file key for every recipient, under a MAC made with that key. */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { HoldfastError } from '../failures.ts';
import { ephemeralKey, parseRecipient, sharedSecret } from './age-keys.ts';
import type { AgeIdentity } from './age-keys.ts';

const VERSION_LINE = 'age-encryption.org/v1';
const WRAP_INFO = 'age-encryption.org/v1/X25519';
const ZERO_NONCE = new Uint8Array(12);
const COLUMNS = 64;
export const FILE_KEY_BYTES = 16;
/** Far above any real header: it bounds what a hostile file can make a reader parse. */
const MAX_HEADER_BYTES = 256 * 1024;

interface Stanza {
  readonly type: string;
  readonly args: readonly string[];
  readonly body: Buffer;
}

interface ParsedHeader {
  readonly stanzas: readonly Stanza[];
  /** From the first byte to `---`: what the MAC covers. */
  readonly covered: Buffer;
  readonly mac: Buffer;
}

export function hkdf(ikm: Uint8Array, salt: Uint8Array, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', ikm, salt, info, 32));
}

/** A complete header for these recipients. Throws BadInput for a recipient that is none, or when there is none. */
export function writeHeader(fileKey: Uint8Array, recipients: readonly string[]): Buffer {
  if (recipients.length === 0) throw new HoldfastError('BadInput', 'Sealing needs at least one age recipient.');
  const stanzas = recipients.map((recipient) => wrapFor(fileKey, parseRecipient(recipient)));
  const covered = Buffer.from(`${VERSION_LINE}\n${stanzas.join('')}---`, 'latin1');
  return Buffer.concat([covered, Buffer.from(` ${base64(headerMac(fileKey, covered))}\n`, 'latin1')]);
}

/** Length of the header at the start of `sealed`. Throws ObjectCorrupt when no header ends there. */
export function headerLength(sealed: Uint8Array): number {
  const view = Buffer.from(sealed.buffer, sealed.byteOffset, Math.min(sealed.length, MAX_HEADER_BYTES));
  const footer = view.indexOf('\n--- ', 0, 'latin1');
  const end = footer < 0 ? -1 : view.indexOf(0x0a, footer + 1);
  if (end < 0) throw corrupt('it has no complete age header');
  return end + 1;
}

/**
 * The file key of a header, as cut by `headerLength`. Throws ObjectCorrupt when the header breaks the format or its MAC
 * fails, WrongIdentity when no recipient stanza opens with any of the identities.
 */
export function openHeader(header: Uint8Array, identities: readonly AgeIdentity[]): Buffer {
  const parsed = parseHeader(Buffer.from(header.buffer, header.byteOffset, header.length));
  if (parsed.stanzas.length > 1 && parsed.stanzas.some((stanza) => stanza.type === 'scrypt')) {
    throw corrupt('its age header mixes a passphrase with other recipients');
  }
  const points = parsed.stanzas.filter((stanza) => stanza.type === 'X25519').map(checkX25519);
  for (const point of points) {
    for (const identity of identities) {
      const fileKey = unwrap(point, identity);
      if (fileKey === undefined) continue;
      if (!timingSafeEqual(headerMac(fileKey, parsed.covered), parsed.mac)) {
        throw corrupt('the MAC of its age header does not hold');
      }
      return fileKey;
    }
  }
  const count = points.length;
  throw new HoldfastError(
    'WrongIdentity',
    `None of the ${identities.length} identities given opens this object; it is sealed to ${count} X25519 recipients.`,
  );
}

function wrapFor(fileKey: Uint8Array, recipient: Uint8Array): string {
  const ephemeral = ephemeralKey();
  const salt = Buffer.concat([ephemeral.publicBytes, recipient]);
  let shared;
  try {
    shared = sharedSecret(ephemeral.key, recipient);
  } catch (cause) {
    throw new HoldfastError('BadInput', 'An age recipient is a point of low order; nothing can be sealed to it.', {
      cause,
    });
  }
  const cipher = createCipheriv('chacha20-poly1305', hkdf(shared, salt, WRAP_INFO), ZERO_NONCE, { authTagLength: 16 });
  const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
  return `-> X25519 ${base64(ephemeral.publicBytes)}\n${base64(body)}\n`;
}

interface X25519Stanza {
  readonly share: Buffer;
  readonly body: Buffer;
}

function checkX25519(stanza: Stanza): X25519Stanza {
  const [text, ...more] = stanza.args;
  if (text === undefined || more.length > 0) throw corrupt('an X25519 stanza has a wrong number of arguments');
  const share = strictBase64(text);
  if (share.length !== 32) throw corrupt('an X25519 stanza has a share of a wrong length');
  if (stanza.body.length !== FILE_KEY_BYTES + 16) throw corrupt('an X25519 stanza has a body of a wrong length');
  return { share, body: stanza.body };
}

function unwrap(stanza: X25519Stanza, identity: AgeIdentity): Buffer | undefined {
  let shared;
  try {
    shared = sharedSecret(identity.key, stanza.share);
  } catch {
    throw corrupt('an X25519 stanza has a share of low order');
  }
  const key = hkdf(shared, Buffer.concat([stanza.share, identity.publicBytes]), WRAP_INFO);
  const cipher = createDecipheriv('chacha20-poly1305', key, ZERO_NONCE, { authTagLength: 16 });
  cipher.setAuthTag(stanza.body.subarray(FILE_KEY_BYTES));
  const fileKey = cipher.update(stanza.body.subarray(0, FILE_KEY_BYTES));
  try {
    cipher.final();
  } catch {
    // Not for this identity; the header does not say whose it is, so trying is the only way to know.
    return undefined;
  }
  return fileKey;
}

function headerMac(fileKey: Uint8Array, covered: Uint8Array): Buffer {
  return createHmac('sha256', hkdf(fileKey, new Uint8Array(0), 'header'))
    .update(covered)
    .digest();
}

function parseHeader(bytes: Buffer): ParsedHeader {
  const lines = bytes.toString('latin1').split('\n');
  if (lines.pop() !== '') throw corrupt('its age header is cut off');
  if (lines.shift() !== VERSION_LINE) throw corrupt('it is not an age v1 file');
  const stanzas: Stanza[] = [];
  for (;;) {
    const line = lines.shift();
    if (line === undefined) throw corrupt('its age header is cut off');
    if (line.startsWith('--- ')) return finishHeader(bytes, stanzas, line, lines);
    stanzas.push(parseStanza(line, lines));
  }
}

function finishHeader(bytes: Buffer, stanzas: Stanza[], footer: string, rest: readonly string[]): ParsedHeader {
  if (rest.length > 0) throw corrupt('its age header goes on after its footer');
  const mac = strictBase64(footer.slice(4));
  if (mac.length !== 32) throw corrupt('the MAC of its age header has a wrong length');
  if (stanzas.length === 0) throw corrupt('its age header names no recipient');
  return { stanzas, mac, covered: bytes.subarray(0, bytes.length - footer.length - 1 + 3) };
}

function parseStanza(line: string, rest: string[]): Stanza {
  const [arrow, type, ...args] = line.split(' ');
  if (arrow !== '->' || type === undefined) throw corrupt('a stanza of its age header does not begin as one');
  if ([type, ...args].some((word) => !/^[\x21-\x7e]+$/.test(word))) {
    throw corrupt('a stanza of its age header has an argument that is not allowed');
  }
  let body = '';
  for (;;) {
    const part = rest.shift();
    if (part === undefined || part.length > COLUMNS) throw corrupt('a stanza of its age header has a broken body');
    body += part;
    if (part.length < COLUMNS) return { type, args, body: strictBase64(body) };
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64').replace(/=+$/, '');
}

function strictBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (base64(bytes) !== text) throw corrupt('its age header has base64 that is not canonical');
  return bytes;
}

function corrupt(what: string): HoldfastError {
  return new HoldfastError('ObjectCorrupt', `A sealed object cannot be opened: ${what}.`);
}
