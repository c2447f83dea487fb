/** Opens the stores a system file names. */
import { HoldfastError } from '../failures.ts';
import type { SecretRef, StoreAddress } from '../system/types.ts';
import { openDirectoryStore } from './directory.ts';
import { limited } from './limited.ts';
import type { S3Config } from './s3-client.ts';
import type { Store, StoreRole } from './store.ts';

export { probeStore } from './probe.ts';
export type { StoreFacts } from './probe.ts';
export type { ObjectInfo, PutOptions, PutOutcome, Store, StoreRole } from './store.ts';

/**
 * A store ready for use; nothing is written by opening it. Secrets are resolved here, on the host. Throws
 * StoreNotMounted, SecretMissing (from `resolveSecret`), BadInput.
 */
export async function openStore(
  config: StoreAddress,
  resolveSecret: (ref: SecretRef) => Promise<string>,
  options: { readonly role?: StoreRole } = {},
): Promise<Store> {
  const store = await openKind(config, resolveSecret, options);
  const limit = config.bandwidthBytesPerSecond;
  return limit === undefined ? store : limited(store, limit);
}

async function openKind(
  config: StoreAddress,
  resolveSecret: (ref: SecretRef) => Promise<string>,
  options: { readonly role?: StoreRole },
): Promise<Store> {
  switch (config.kind) {
    case 'directory':
      return openDirectoryStore(config);
    case 's3': {
      // Loaded only when used: the SDK takes a good part of a second.
      const { openS3Store } = await import('./s3.ts');
      return openS3Store(forRole(config, options.role), resolveSecret);
    }
    case 'sftp': {
      const { openSftpStore } = await import('./sftp.ts');
      return openSftpStore(config, resolveSecret);
    }
    case 'gcs':
    case 'azure':
      throw new HoldfastError(
        'BadInput',
        `The store ${config.name}: this release cannot open a store of kind ${config.kind}.`,
      );
  }
}

function forRole(config: S3Config, role: StoreRole | undefined): S3Config {
  return role === 'maintain' && config.maintainer !== undefined ? { ...config, ...config.maintainer } : config;
}
