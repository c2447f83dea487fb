/** Opens the stores a system file names. */
import type { SecretRef, StoreConfig } from '../system/types.ts';
import { openDirectoryStore } from './directory.ts';
import type { Store } from './store.ts';

export { probeStore } from './probe.ts';
export type { StoreFacts } from './probe.ts';
export type { ObjectInfo, PutOptions, PutOutcome, Store } from './store.ts';

/**
 * A store ready for use; nothing is written by opening it. Secrets are resolved here, on the host. Throws
 * StoreNotMounted, SecretMissing (from `resolveSecret`), BadInput.
 */
export async function openStore(
  config: StoreConfig,
  resolveSecret: (ref: SecretRef) => Promise<string>,
): Promise<Store> {
  switch (config.kind) {
    case 'directory':
      return openDirectoryStore(config);
    case 's3': {
      // Loaded only when used: the SDK takes a good part of a second.
      const { openS3Store } = await import('./s3.ts');
      return openS3Store(config, resolveSecret);
    }
  }
}
