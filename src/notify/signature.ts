/** Signed messages as Standard Webhooks 1.0.0 has them (standardwebhooks.com), symmetric: HMAC-SHA256, `v1`. */
import { createHmac } from 'node:crypto';
import { HoldfastError } from '../failures.ts';

const PREFIX = 'whsec_';
/** The specification asks for 24 to 64 bytes. */
const LEAST_BYTES = 24;
const MOST_BYTES = 64;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** The bytes of `whsec_<base64>`, or of the base64 alone. Throws SecretMissing, without the value. */
export function signingKeyBytes(secret: string): Buffer {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret;
  const bytes = Buffer.from(text, 'base64');
  if (BASE64.test(text) && bytes.length >= LEAST_BYTES && bytes.length <= MOST_BYTES) return bytes;
  throw new HoldfastError('SecretMissing', 'a signing key is no base64 of 24 to 64 bytes', {
    hint: `Make one with: echo "${PREFIX}$(head -c 32 /dev/urandom | base64)"`,
  });
}

/** The headers of one attempt: the id stays, the time is that of the attempt. `body` is what is sent, byte for byte. */
export function signatureHeaders(
  key: Buffer | undefined,
  message: { readonly id: string; readonly atMs: number; readonly body: string },
): Record<string, string> {
  const seconds = Math.floor(message.atMs / 1000);
  const headers = { 'webhook-id': message.id, 'webhook-timestamp': String(seconds) };
  if (key === undefined) return headers;
  const signed = createHmac('sha256', key).update(`${message.id}.${seconds}.${message.body}`).digest('base64');
  return { ...headers, 'webhook-signature': `v1,${signed}` };
}
