/** SSH signatures (OpenSSH PROTOCOL.sshsig), Ed25519: what `ssh-keygen -Y sign` makes and `-Y verify` checks. */
import { createHash, sign, verify } from 'node:crypto';
import { HoldfastError } from '../failures.ts';
import { fingerprint, parseSshPrivateKey, parseSshPublicKey, publicKeyOf, publicLine } from './ssh-key.ts';
import { armor, SshReader, sshString, sshUint32, unarmor } from './ssh-wire.ts';

const MAGIC = Buffer.from('SSHSIG', 'latin1');
const ARMOR_NAME = 'SSH SIGNATURE';
const SIGNATURE_TYPE = 'ssh-ed25519';
const VERSION = 1;

export interface SshSignatureInfo {
  /** The public key line the signature claims; only a check against a known key makes it mean something. */
  readonly publicKey: string;
  readonly fingerprint: string;
  readonly namespace: string;
}

interface ParsedSignature {
  readonly publicBlob: Buffer;
  readonly namespace: string;
  readonly hash: string;
  readonly raw: Buffer;
}

/** An armored signature over `message` in a namespace. Throws BadInput for a key that cannot be used. */
export function signSsh(privateKeyText: string, namespace: string, message: string | Uint8Array): string {
  const signer = parseSshPrivateKey(privateKeyText);
  const raw = sign(null, signedData(namespace, 'sha512', message), signer.key);
  const blob = Buffer.concat([
    MAGIC,
    sshUint32(VERSION),
    sshString(signer.publicBlob),
    sshString(namespace),
    sshString(''),
    sshString('sha512'),
    sshString(Buffer.concat([sshString(SIGNATURE_TYPE), sshString(raw)])),
  ]);
  return armor(blob, ARMOR_NAME);
}

/**
 * Returns when `signature` is by the key in `publicKeyLine`, in this namespace, over exactly this message; throws
 * Untrusted with the reason otherwise, and BadInput when the public key is none.
 */
export function verifySsh(
  publicKeyLine: string,
  namespace: string,
  message: string | Uint8Array,
  signature: string,
): void {
  const expected = parseSshPublicKey(publicKeyLine);
  const parsed = parseSignature(signature);
  if (!parsed.publicBlob.equals(expected)) {
    const names = `${fingerprint(parsed.publicBlob)}, not by ${fingerprint(expected)}`;
    throw untrusted(`it is by the key ${names}`);
  }
  if (parsed.namespace !== namespace) {
    throw untrusted(`it was made for ${JSON.stringify(parsed.namespace)}, not for ${JSON.stringify(namespace)}`);
  }
  const data = signedData(namespace, parsed.hash, message);
  if (!verify(null, data, publicKeyOf(expected), parsed.raw)) throw untrusted('it does not fit what was signed');
}

/** What a signature says about itself, unchecked. Throws Untrusted when it is none. */
export function inspectSshSignature(signature: string): SshSignatureInfo {
  const { publicBlob, namespace } = parseSignature(signature);
  return { publicKey: publicLine(publicBlob), fingerprint: fingerprint(publicBlob), namespace };
}

/** The signature as it is written by everybody: equal to it unless something was changed that its bytes don't show. */
export function canonicalSignature(signature: string): string | undefined {
  const bytes = unarmor(signature, ARMOR_NAME);
  return bytes === undefined ? undefined : armor(bytes, ARMOR_NAME);
}

function signedData(namespace: string, hash: string, message: string | Uint8Array): Buffer {
  const digest = createHash(hash).update(message).digest();
  return Buffer.concat([MAGIC, sshString(namespace), sshString(''), sshString(hash), sshString(digest)]);
}

function parseSignature(text: string): ParsedSignature {
  const bytes = unarmor(text, ARMOR_NAME);
  if (bytes === undefined) throw untrusted('it is not an SSH signature');
  try {
    return readSignature(new SshReader(bytes));
  } catch (cause) {
    if (cause instanceof RangeError) throw untrusted('it is cut off');
    throw cause;
  }
}

function readSignature(reader: SshReader): ParsedSignature {
  if (!reader.raw(MAGIC.length).equals(MAGIC) || reader.uint32() !== VERSION) {
    throw untrusted('it is not an SSH signature of version 1');
  }
  const publicBlob = reader.bytes();
  const namespace = reader.text();
  reader.bytes();
  const hash = reader.text();
  const inner = new SshReader(reader.bytes());
  const type = inner.text();
  const raw = inner.bytes();
  if (!reader.atEnd || !inner.atEnd) throw untrusted('bytes follow its end');
  if (type !== SIGNATURE_TYPE) throw untrusted(`it is of the type ${JSON.stringify(type)}, not ${SIGNATURE_TYPE}`);
  if (hash !== 'sha512' && hash !== 'sha256') throw untrusted(`it uses the hash ${JSON.stringify(hash)}`);
  return { publicBlob, namespace, hash, raw };
}

function untrusted(what: string): HoldfastError {
  return new HoldfastError('Untrusted', `A signature does not hold: ${what}.`);
}
