/** Stores, retention and the rule of copies, with their defaults filled in. Pure. */
import { durationSeconds } from './durations.ts';
import { present } from './present.ts';
import { DEFAULTS, type SystemFile } from './schema.ts';
import { STORE_DEFAULTS } from './store-schema.ts';
import type { CopyRule, Immutable, RetentionConfig, StoreConfig } from './store-types.ts';

type StoreFile = SystemFile['stores'][string];
type KeepFile = NonNullable<SystemFile['plans'][string]['keep']>;

const MEDIA: Readonly<Record<StoreFile['kind'], string>> = {
  directory: 'disk',
  s3: 'object storage',
  gcs: 'object storage',
  azure: 'object storage',
  sftp: 'server',
};

const BYTES = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** Where the store is part of: what its defaults come from. */
export interface StoreSurroundings {
  readonly system: string;
  readonly site: string;
  readonly hosts: readonly string[];
}

export function buildStore(name: string, file: StoreFile, around: StoreSurroundings): StoreConfig {
  const { bandwidth } = file;
  const common = present({
    name,
    place: file.place ?? defaultPlace(file, around),
    medium: file.medium ?? MEDIA[file.kind],
    verifyEverySeconds: durationSeconds(file.verifyEvery ?? STORE_DEFAULTS.verifyEvery),
    maintainedBy: file.maintainedBy ?? around.hosts[0] ?? DEFAULTS.host,
    bandwidthBytesPerSecond: bandwidth === undefined ? undefined : rateOf(bandwidth),
  });
  const whole: object = { ...ofKind(file, around), ...common, bandwidth: undefined, verifyEvery: undefined };
  return present(whole) as StoreConfig;
}

function ofKind(own: StoreFile, { system }: StoreSurroundings): object {
  switch (own.kind) {
    case 'directory':
      return { ...own, mustBeMounted: own.mustBeMounted ?? false };
    case 'sftp':
      return { ...own, port: own.port ?? STORE_DEFAULTS.sftpPort };
    case 's3':
      return {
        ...own,
        ...bucket(own, system),
        region: own.region ?? DEFAULTS.region,
        pathStyle: own.pathStyle ?? own.endpoint !== undefined,
      };
    case 'gcs':
    case 'azure':
      return { ...own, ...bucket(own, system) };
  }
}

function bucket(own: Extract<StoreFile, { kind: 's3' | 'gcs' | 'azure' }>, system: string) {
  return {
    prefix: (own.prefix ?? system).replace(/\/+$/, ''),
    maintainer: own.maintainer === undefined ? undefined : present(own.maintainer),
    immutable: own.immutable === undefined ? undefined : buildImmutable(own.immutable),
  };
}

function buildImmutable(file: { mode: Immutable['mode']; for: string }): Immutable {
  return { mode: file.mode, forSeconds: durationSeconds(file.for) };
}

/** A bucket without a region is somewhere else than the site; a server is where its name says. */
function defaultPlace(file: StoreFile, { site }: StoreSurroundings): string {
  switch (file.kind) {
    case 'directory':
      return site;
    case 's3':
      return file.endpoint ?? file.region ?? DEFAULTS.region;
    case 'gcs':
      return file.endpoint ?? 'google';
    case 'azure':
      return file.endpoint ?? 'azure';
    case 'sftp':
      return file.host;
  }
}

export function buildKeep(file: KeepFile): RetentionConfig {
  const { within, ...counts } = file;
  return present({
    ...counts,
    withinSeconds: within === undefined ? undefined : durationSeconds(within),
  });
}

export function buildRule(file: NonNullable<SystemFile['rule']>): CopyRule {
  const { copies = 3, media = 2, offsite = 1, immutable = 1, errors = 0 } = file;
  return { copies, media, offsite, immutable, errors };
}

function rateOf(text: string): number {
  const unit = text.slice(-3) as keyof typeof BYTES;
  return Number(text.slice(0, -3)) * BYTES[unit];
}
