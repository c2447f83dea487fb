/** From a store of the system file and the command line to what its bucket should have. */
import { HoldfastError } from '../failures.ts';
import type { BucketWishes } from '../policy/bucket-setup.ts';
import { forRole } from '../stores/index.ts';
import type { S3StoreConfig } from '../system/store-types.ts';
import type { BucketStore } from './bucket-store.ts';

interface Asked {
  readonly kmsKey?: string;
  readonly keepVersions: string;
  readonly replicateTo?: string;
  readonly role?: string;
}

/** Throws BadInput. */
export function setupWishes(store: BucketStore, asked: Asked): { config: S3StoreConfig; wishes: BucketWishes } {
  if (store.kind !== 's3') {
    const why = `the store ${store.name} is of kind ${store.kind}: its bucket is set up with the tools of its provider`;
    throw new HoldfastError('BadInput', `store setup is for S3, and ${why}.`);
  }
  const days = Number(asked.keepVersions);
  if (!Number.isInteger(days) || days < 1) {
    throw new HoldfastError('BadInput', `--keep-versions is a number of days of at least 1, not ${asked.keepVersions}`);
  }
  const { replicateTo: to, role } = asked;
  if ((to === undefined) !== (role === undefined)) {
    throw new HoldfastError('BadInput', 'replication needs both --replicate-to and --role');
  }
  const replicate = to === undefined || role === undefined ? undefined : { to, role };
  const prefix = store.prefix.replace(/^\/+|\/+$/g, '');
  const { immutable } = store;
  return { config: store, wishes: { prefix, immutable, kmsKey: asked.kmsKey, keepVersionsDays: days, replicate } };
}

/** Who keeps the store, or whom the AWS SDK finds: the owner of a bucket is rarely in a system file. */
export function withLogin(config: S3StoreConfig, awsChain: boolean): S3StoreConfig {
  return awsChain ? forRole({ ...config, maintainer: {} }, 'maintain') : forRole(config, 'maintain');
}
