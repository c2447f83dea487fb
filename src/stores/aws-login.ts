/** Credentials and trust for a client of the AWS SDK, by what the system file says. */
import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { HoldfastError } from '../failures.ts';
import type { SecretRef } from '../system/types.ts';

interface AwsLogin {
  readonly accessKeyId?: SecretRef;
  readonly secretAccessKey?: SecretRef;
}

/**
 * Undefined for the SDK's own chain. `owner` is for people, such as `store offsite`. Throws BadInput, and what
 * `resolveSecret` throws.
 */
export async function readAwsLogin(
  { accessKeyId, secretAccessKey }: AwsLogin,
  owner: string,
  resolveSecret: (ref: SecretRef) => Promise<string>,
): Promise<{ accessKeyId: string; secretAccessKey: string } | undefined> {
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new HoldfastError('BadInput', `The ${owner} names only one of accessKeyId and secretAccessKey.`);
  }
  const [id, secret] = await Promise.all([resolveSecret(accessKeyId), resolveSecret(secretAccessKey)]);
  return { accessKeyId: id.trim(), secretAccessKey: secret.trim() };
}

/** For an agent of node:https: the authorities that Node trusts, and one more. Throws BadInput. */
export async function trustedAuthorities(caFile: string | undefined): Promise<{ ca?: string[] }> {
  if (caFile === undefined) return {};
  try {
    return { ca: [...rootCertificates, await readFile(caFile, 'utf8')] };
  } catch (cause) {
    throw new HoldfastError('BadInput', `The CA file ${caFile} cannot be read.`, { cause });
  }
}
