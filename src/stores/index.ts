/** Opens the stores a system file names. */
import type { SecretRef, StoreAddress } from '../system/types.ts';
import { openDirectoryStore } from './directory.ts';
import { limited } from './limited.ts';
import type { RetryPolicy } from './retry.ts';
import type { Store, StoreRole } from './store.ts';

export { probeStore } from './probe.ts';
export type { StoreFacts } from './probe.ts';
export type { ObjectInfo, PutOptions, PutOutcome, Store, StoreRole } from './store.ts';

export interface OpenOptions {
  readonly role?: StoreRole;
  /** How long a store that does not answer is tried. Directories are not. Default: some minutes. */
  readonly retries?: RetryPolicy | undefined;
}

/**
 * A store ready for use; nothing is written by opening it. Secrets are resolved here, on the host. Throws
 * StoreNotMounted, SecretMissing (from `resolveSecret`), BadInput.
 */
export async function openStore(
  config: StoreAddress,
  resolveSecret: (ref: SecretRef) => Promise<string>,
  options: OpenOptions = {},
): Promise<Store> {
  const store = await openKind(config, resolveSecret, options);
  const limit = config.bandwidthBytesPerSecond;
  return limit === undefined ? store : limited(store, limit);
}

async function openKind(
  config: StoreAddress,
  resolveSecret: (ref: SecretRef) => Promise<string>,
  { role, retries }: OpenOptions,
): Promise<Store> {
  switch (config.kind) {
    case 'directory':
      return openDirectoryStore(config);
    case 's3': {
      // Loaded only when used: the SDK takes a good part of a second.
      const { openS3Store } = await import('./s3.ts');
      return openS3Store(forRole(config, role), resolveSecret, retries);
    }
    case 'sftp': {
      const { openSftpStore } = await import('./sftp.ts');
      return openSftpStore(config, resolveSecret, retries);
    }
    case 'gcs': {
      const { openGcsStore } = await import('./gcs.ts');
      return openGcsStore(forRole(config, role), resolveSecret, retries);
    }
    case 'azure': {
      const { openAzureStore } = await import('./azure.ts');
      return openAzureStore(forRole(config, role), resolveSecret, retries);
    }
  }
}

/** With the maintainer's login in place of the capturing host's, and nothing of that one left. */
export function forRole<Config extends { readonly maintainer?: object }>(
  config: Config,
  role: StoreRole | undefined,
): Config {
  if (role !== 'maintain' || config.maintainer === undefined) return config;
  const own = Object.entries(config).filter(([name]) => !LOGIN.has(name));
  return { ...(Object.fromEntries(own) as Config), ...config.maintainer };
}

const LOGIN = new Set(['accessKeyId', 'secretAccessKey', 'credentials', 'accountKey', 'sasToken']);
