/** Signature Version 4 in headers: what the SDK's signer does, for requests that carry the SHA-256 of their body already. */
import { createHmac, createSecretKey, hash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

const ALGORITHM = 'AWS4-HMAC-SHA256';
const END = 'aws4_request';
/** Those in between may change or add it. */
const UNSIGNED = 'user-agent';

export interface SigningCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface ToSign {
  readonly method: string;
  /** Encoded as it is sent; S3 does not encode it a second time. Without a query. */
  readonly path: string;
  /** Names in lower case, values without line breaks; with `host` and `x-amz-content-sha256`. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Keeps the key of a day, which four HMACs make. */
export class S3Signature {
  readonly #region: string;
  readonly #service: string;
  #key: { readonly of: SigningCredentials; readonly day: string; readonly key: KeyObject } | undefined;

  constructor(region: string, service: string) {
    this.#region = region;
    this.#service = service;
  }

  /**
   * The headers with those that sign them: `x-amz-date`, `authorization`, and the token of temporary credentials.
   * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
   */
  sign({ method, path, headers }: ToSign, credentials: SigningCredentials, at: Date): Record<string, string> {
    const time = at.toISOString().replace(/[-:]|\.\d+/g, '');
    const day = time.slice(0, 8);
    const scope = `${day}/${this.#region}/${this.#service}/${END}`;
    const { sessionToken, accessKeyId } = credentials;
    const signed: Record<string, string> = { ...headers, 'x-amz-date': time };
    if (sessionToken !== undefined) signed['x-amz-security-token'] = sessionToken;
    const names = Object.keys(signed).sort();
    let [canonical, list] = ['', ''];
    for (const name of names) {
      if (name === UNSIGNED) continue;
      canonical += `${name}:${(signed[name] as string).trim().replace(/[ \t]+/g, ' ')}\n`;
      list += list === '' ? name : `;${name}`;
    }
    const request = `${method}\n${path}\n\n${canonical}\n${list}\n${signed['x-amz-content-sha256'] ?? ''}`;
    const text = `${ALGORITHM}\n${time}\n${scope}\n${hash('sha256', request, 'hex')}`;
    const signature = createHmac('sha256', this.#keyOf(credentials, day)).update(text).digest('hex');
    signed['authorization'] =
      `${ALGORITHM} Credential=${accessKeyId}/${scope}, SignedHeaders=${list}, Signature=${signature}`;
    return signed;
  }

  #keyOf(credentials: SigningCredentials, day: string): KeyObject {
    const kept = this.#key;
    if (kept?.day === day && kept.of.secretAccessKey === credentials.secretAccessKey) return kept.key;
    let bytes: Buffer = Buffer.from(`AWS4${credentials.secretAccessKey}`);
    for (const part of [day, this.#region, this.#service, END])
      bytes = createHmac('sha256', bytes).update(part).digest();
    const key = createSecretKey(bytes);
    this.#key = { of: credentials, day, key };
    return key;
  }
}
