/** The AWS SDK's client as a store needs it: its own endpoint, certificates and credentials, and no hidden retries. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import type { SecretRef, StoreAddress } from '../system/types.ts';
import { readAwsLogin, trustedAuthorities } from './aws-login.ts';

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
      httpsAgent: new HttpsAgent({ ...agent, ...(await trustedAuthorities(config.caFile)) }),
    },
  };
  if (config.endpoint !== undefined) options.endpoint = config.endpoint;
  const credentials = await readAwsLogin(config, `store ${config.name}`, resolveSecret);
  if (credentials !== undefined) options.credentials = credentials;
  return new S3Client(options);
}
