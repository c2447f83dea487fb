/** The AWS SDK's client as a store needs it: its own endpoint, certificates and credentials, and no hidden retries. */
import { readFile } from 'node:fs/promises';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { rootCertificates } from 'node:tls';
import { S3Client } from '@aws-sdk/client-s3';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { HoldfastError } from '../failures.ts';
import type { SecretRef, StoreAddress } from '../system/types.ts';

export type S3Config = Extract<StoreAddress, { kind: 's3' }>;
type ResolveSecret = (ref: SecretRef) => Promise<string>;

/** Requests at once, when the system file says nothing. */
const DEFAULT_PARALLELISM = 64;
const CONNECT_TIMEOUT_MS = 10_000;

export function parallelismOf(config: S3Config): number {
  return config.parallelism ?? DEFAULT_PARALLELISM;
}

/** Throws BadInput, and what `resolveSecret` throws. */
export async function createS3Client(config: S3Config, resolveSecret: ResolveSecret): Promise<S3Client> {
  // HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as Node's agents understand them.
  const agent = { keepAlive: true, maxSockets: parallelismOf(config), proxyEnv: process.env };
  const options: S3ClientConfig = {
    region: config.region,
    forcePathStyle: config.pathStyle,
    // Retries are ours: only then is it known that an answer was lost, and whose bytes lie there now.
    maxAttempts: 1,
    // A SHA-256 is sent with every object; what is read back is authenticated by age and by its own name.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, ...(await trust(config.caFile)) }),
    },
  };
  if (config.endpoint !== undefined) options.endpoint = config.endpoint;
  const credentials = await readCredentials(config, resolveSecret);
  if (credentials !== undefined) options.credentials = credentials;
  return new S3Client(options);
}

async function readCredentials(config: S3Config, resolveSecret: ResolveSecret) {
  const { accessKeyId, secretAccessKey, name } = config;
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new HoldfastError('BadInput', `The store ${name} names only one of accessKeyId and secretAccessKey.`);
  }
  const [id, secret] = await Promise.all([resolveSecret(accessKeyId), resolveSecret(secretAccessKey)]);
  return { accessKeyId: id.trim(), secretAccessKey: secret.trim() };
}

async function trust(caFile: string | undefined): Promise<{ ca?: string[] }> {
  if (caFile === undefined) return {};
  try {
    return { ca: [...rootCertificates, await readFile(caFile, 'utf8')] };
  } catch (cause) {
    throw new HoldfastError('BadInput', `The CA file ${caFile} cannot be read.`, { cause });
  }
}
