/** OpenSSH Ed25519 keys: the text formats `ssh-keygen -t ed25519` writes (PROTOCOL.key), on the platform's crypto. */
import { createHash, createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { HoldfastError } from '../failures.ts';
import { armor, SshReader, sshString, sshUint32, unarmor } from './ssh-wire.ts';

const KEY_TYPE = 'ssh-ed25519';
const ARMOR_NAME = 'OPENSSH PRIVATE KEY';
const MAGIC = 'openssh-key-v1\0';
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

export interface SshKeyPair {
  /** OpenSSH private key text, without passphrase: a secret. */
  readonly privateKey: string;
  /** One line: `ssh-ed25519 AAAA… comment`. */
  readonly publicKey: string;
  /** `SHA256:…`, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
}

/** A private key ready for use. */
export interface SshSigner {
  readonly key: KeyObject;
  /** The public key as SSH encodes it. */
  readonly publicBlob: Buffer;
  readonly comment: string;
}

/** A new random Ed25519 key pair in OpenSSH's text formats. */
export function generateSshKeyPair(comment: string): SshKeyPair {
  const seed = randomBytes(32);
  const publicBytes = publicOf(privateKeyOf(seed));
  const publicBlob = blobOf(publicBytes);
  return {
    privateKey: privateText(seed, publicBytes, comment),
    publicKey: publicLine(publicBlob, comment),
    fingerprint: fingerprint(publicBlob),
  };
}

/** Reads OpenSSH private key text. Throws BadInput: not such a key, another type, or protected by a passphrase. */
export function parseSshPrivateKey(text: string): SshSigner {
  const bytes = unarmor(text, ARMOR_NAME);
  if (bytes === undefined) throw unreadable('is not an OpenSSH private key');
  try {
    return readPrivate(bytes);
  } catch (cause) {
    if (cause instanceof RangeError) throw unreadable('is cut off');
    throw cause;
  }
}

/** The public bytes of a line such as `ssh-ed25519 AAAA… comment`, as SSH encodes them. Throws BadInput. */
export function parseSshPublicKey(line: string): Buffer {
  const [type, text] = line.trim().split(/\s+/);
  if (type !== KEY_TYPE || text === undefined) throw unreadable(`is not of the type ${KEY_TYPE}`, 'public');
  const blob = Buffer.from(text, 'base64');
  publicKeyOf(blob);
  return blob;
}

/** The public line of a private key. Throws BadInput. */
export function sshPublicKeyOf(privateText: string): string {
  const signer = parseSshPrivateKey(privateText);
  return publicLine(signer.publicBlob, signer.comment);
}

/** `SHA256:…` of a public key line. Throws BadInput. */
export function sshFingerprint(publicKeyLine: string): string {
  return fingerprint(parseSshPublicKey(publicKeyLine));
}

export function fingerprint(publicBlob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(publicBlob).digest('base64').replace(/=+$/, '')}`;
}

export function publicLine(publicBlob: Buffer, comment = ''): string {
  return `${KEY_TYPE} ${publicBlob.toString('base64')} ${comment}`.trimEnd();
}

/** The platform's key of an SSH public key blob. Throws BadInput. */
export function publicKeyOf(blob: Uint8Array): KeyObject {
  const raw = readPublicBlob(blob);
  if (raw?.length !== 32) throw unreadable('is not an Ed25519 key', 'public');
  return createPublicKey({ key: Buffer.concat([SPKI_ED25519, raw]), format: 'der', type: 'spki' });
}

function readPublicBlob(blob: Uint8Array): Buffer | undefined {
  try {
    const reader = new SshReader(blob);
    const type = reader.text();
    const raw = reader.bytes();
    return type === KEY_TYPE && reader.atEnd ? raw : undefined;
  } catch {
    // Cut off: not a key either.
    return undefined;
  }
}

function readPrivate(bytes: Buffer): SshSigner {
  const reader = new SshReader(bytes);
  if (reader.raw(MAGIC.length).toString('latin1') !== MAGIC) throw unreadable('is not in the format openssh-key-v1');
  const cipher = reader.text();
  reader.text();
  reader.bytes();
  if (cipher !== 'none') throw unreadable('is protected by a passphrase, which an unattended worker cannot type');
  if (reader.uint32() !== 1) throw unreadable('holds more than one key');
  reader.bytes();
  const secret = new SshReader(reader.bytes());
  if (secret.uint32() !== secret.uint32()) throw unreadable('is damaged');
  if (secret.text() !== KEY_TYPE) throw unreadable(`is not of the type ${KEY_TYPE}`);
  const publicBytes = secret.bytes();
  const key = privateKeyOf(secret.bytes().subarray(0, 32));
  if (!publicOf(key).equals(publicBytes)) throw unreadable('does not match its own public key');
  return { key, publicBlob: blobOf(publicBytes), comment: secret.text() };
}

function privateText(seed: Uint8Array, publicBytes: Buffer, comment: string): string {
  const check = randomBytes(4);
  const secret = Buffer.concat([
    check,
    check,
    sshString(KEY_TYPE),
    sshString(publicBytes),
    sshString(Buffer.concat([seed, publicBytes])),
    sshString(comment),
  ]);
  const padding = Uint8Array.from({ length: (8 - (secret.length % 8)) % 8 }, (_, index) => index + 1);
  const parts = [
    Buffer.from(MAGIC, 'latin1'),
    sshString('none'),
    sshString('none'),
    sshString(''),
    sshUint32(1),
    sshString(blobOf(publicBytes)),
    sshString(Buffer.concat([secret, padding])),
  ];
  return armor(Buffer.concat(parts), ARMOR_NAME);
}

function blobOf(publicBytes: Uint8Array): Buffer {
  return Buffer.concat([sshString(KEY_TYPE), sshString(publicBytes)]);
}

function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
}

function publicOf(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(SPKI_ED25519.length);
}

function unreadable(what: string, side: 'private' | 'public' = 'private'): HoldfastError {
  return new HoldfastError('BadInput', `The SSH ${side} key ${what}. An Ed25519 key without passphrase is needed.`);
}
