/** Stores as a system file describes them, after loading. */
import type { SecretRef } from './types.ts';

/** Locks that the store itself enforces. */
export interface Immutable {
  readonly mode: 'governance' | 'compliance';
  readonly forSeconds: number;
}

interface StoreBase {
  readonly name: string;
  /** Where it is, for the rule. */
  readonly place: string;
  /** What it lies on, for the rule. */
  readonly medium: string;
  readonly parallelism?: number;
  readonly bandwidthBytesPerSecond?: number;
  /** The host that copies into it, prunes and verifies it. */
  readonly maintainedBy: string;
  /** In which all of it is to be read back. */
  readonly verifyEverySeconds: number;
}

export interface S3Login {
  /** Without these the AWS SDK's own credential chain is used. */
  readonly accessKeyId?: SecretRef;
  readonly secretAccessKey?: SecretRef;
}

export interface GcsLogin {
  /** A service account's JSON; without it the SDK's own chain. */
  readonly credentials?: SecretRef;
}

export interface AzureLogin {
  readonly accountKey?: SecretRef;
  readonly sasToken?: SecretRef;
}

export interface DirectoryStoreConfig extends StoreBase {
  readonly kind: 'directory';
  readonly path: string;
  /** Refuse when the path is not a mount of its own. */
  readonly mustBeMounted: boolean;
}

interface BucketBase extends StoreBase {
  readonly prefix: string;
  readonly endpoint?: string;
  /** Of chunks and lists; checksums and records stay in the store's standard class. */
  readonly storageClass?: string;
  readonly immutable?: Immutable;
}

export interface S3StoreConfig extends BucketBase, S3Login {
  readonly kind: 's3';
  readonly bucket: string;
  readonly region: string;
  readonly pathStyle: boolean;
  readonly maintainer?: S3Login;
  readonly caFile?: string;
}

export interface GcsStoreConfig extends BucketBase, GcsLogin {
  readonly kind: 'gcs';
  readonly bucket: string;
  readonly maintainer?: GcsLogin;
}

export interface AzureStoreConfig extends BucketBase, AzureLogin {
  readonly kind: 'azure';
  readonly account: string;
  readonly container: string;
  readonly maintainer?: AzureLogin;
}

export interface SftpStoreConfig extends StoreBase {
  readonly kind: 'sftp';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly path: string;
  /** `SHA256:…` fingerprint of the server's key. */
  readonly hostKey: string;
  readonly privateKey?: SecretRef;
  readonly password?: SecretRef;
}

export type StoreConfig = DirectoryStoreConfig | S3StoreConfig | GcsStoreConfig | AzureStoreConfig | SftpStoreConfig;

/** What it takes to open a store: everything but what only the rule and the upkeep need. */
export type StoreAddress = AddressOf<StoreConfig>;
type AddressOf<Config> = Config extends StoreConfig
  ? Omit<Config, 'place' | 'medium' | 'maintainedBy' | 'verifyEverySeconds'>
  : never;

export interface RetentionConfig {
  readonly last?: number;
  readonly hourly?: number;
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  readonly yearly?: number;
  readonly withinSeconds?: number;
  /** Every backup with one of these tags is kept. */
  readonly tags?: readonly string[];
  /** At least so many proved backups are kept; absent: 1. */
  readonly proved?: number;
}

/** 3-2-1-1-0: what the copies of every plan must come to. The live data counts as a copy, on the disk of the site. */
export interface CopyRule {
  readonly copies: number;
  readonly media: number;
  readonly offsite: number;
  readonly immutable: number;
  readonly errors: number;
}
