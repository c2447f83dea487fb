/** Google's client as a store needs it: its own endpoint and credentials, and no hidden retries. */
import { Storage } from '@google-cloud/storage';
import type { Bucket, StorageOptions } from '@google-cloud/storage';
import { JWT } from 'google-auth-library';
import { z } from 'zod';
import { HoldfastError } from '../failures.ts';
import type { SecretRef, StoreAddress } from '../system/types.ts';

export type GcsConfig = Extract<StoreAddress, { kind: 'gcs' }>;

/** A request that was given up is ended by then; nothing else ends it, because the client can't abort. */
const REQUEST_TIMEOUT_MS = 600_000;

/** Opens no connection. Throws BadInput, and what `resolveSecret` throws. */
export async function openBucket(
  config: GcsConfig,
  resolveSecret: (ref: SecretRef) => Promise<string>,
): Promise<Bucket> {
  const { endpoint } = config;
  const options: StorageOptions & { timeout: number } = {
    // Retries are ours: only then is it known that an answer was lost, and whose bytes lie there now.
    retryOptions: { autoRetry: false },
    timeout: REQUEST_TIMEOUT_MS,
  };
  if (config.credentials !== undefined) {
    options.authClient = serviceAccount(config.name, await resolveSecret(config.credentials));
  }
  if (endpoint !== undefined) {
    options.apiEndpoint = endpoint.replace(/\/+$/, '');
    // Somebody else's server without credentials in the system file is asked without any; Google's own never is.
    options.useAuthWithCustomEndpoint = config.credentials !== undefined || isGoogle(endpoint);
    // Only projects are looked up with it, which a store never does; without one the client looks for it over the network.
    options.projectId = 'holdfast';
  }
  return new Storage(options).bucket(config.bucket);
}

function isGoogle(endpoint: string): boolean {
  return new URL(endpoint).hostname.endsWith('.googleapis.com');
}

/**
 * A service account's key and nothing else: other forms of Google's name programs to run and addresses to ask, which a
 * secret must not decide. Never repeated in a message.
 */
function serviceAccount(name: string, text: string): JWT {
  const parsed = accountSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new HoldfastError('BadInput', `The credentials of the store ${name} are no JSON of a service account.`, {
      hint: 'Give the file that `gcloud iam service-accounts keys create` writes, or leave credentials out.',
    });
  }
  const { client_email: email, private_key: key, private_key_id: keyId } = parsed.data;
  return new JWT({ email, key, ...(keyId === undefined ? {} : { keyId }), scopes: [SCOPE] });
}

const SCOPE = 'https://www.googleapis.com/auth/devstorage.full_control';
const accountSchema = z.object({
  type: z.literal('service_account'),
  client_email: z.string().min(1),
  private_key: z.string().includes('PRIVATE KEY'),
  private_key_id: z.string().optional(),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
