/** The data types of RFC 4251 that SSH keys and signatures are made of: strings with their length in front. */

/** A string: four bytes of length, then the bytes. */
export function sshString(value: string | Uint8Array): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

export function sshUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Reads in order; throws RangeError when the bytes end too early. */
export class SshReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  raw(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw new RangeError('the data is cut off');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint32(): number {
    return this.raw(4).readUInt32BE();
  }

  bytes(): Buffer {
    return this.raw(this.uint32());
  }

  text(): string {
    return this.bytes().toString('utf8');
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }
}

/** Text between `-----BEGIN name-----` and `-----END name-----`, decoded; undefined when it is not that. */
export function unarmor(text: string, name: string): Buffer | undefined {
  const lines = text.trim().split(/\r?\n/);
  if (lines.shift() !== `-----BEGIN ${name}-----` || lines.pop() !== `-----END ${name}-----`) return undefined;
  const body = lines.join('');
  return /^[A-Za-z0-9+/]+={0,2}$/.test(body) ? Buffer.from(body, 'base64') : undefined;
}

export function armor(bytes: Buffer, name: string): string {
  const lines = bytes.toString('base64').match(/.{1,70}/g) ?? [];
  return [`-----BEGIN ${name}-----`, ...lines, `-----END ${name}-----`, ''].join('\n');
}
