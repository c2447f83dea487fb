/** Archive classes of object stores: which must be thawed, how long that takes, and how a restore waits for it. */
import type { StoreAddress } from '../system/types.ts';

export type ThawSpeed = 'bulk' | 'standard' | 'expedited';
export const THAW_SPEEDS = ['bulk', 'standard', 'expedited'] as const satisfies readonly ThawSpeed[];

/** What a restore in place takes when nobody says another. */
export const USUAL_SPEED: ThawSpeed = 'standard';
/** How long a thawed copy stays: longer than any restore, and than a second try of it. */
export const THAWED_DAYS = 7;

interface Hours {
  readonly least: number;
  readonly most: number;
}

/**
 * As the providers document them. S3: `Archive retrieval options` of the S3 user guide (objects up to 250 MB for expedited).
 * Azure: `Blob rehydration from the archive tier`; its standard priority stands for bulk too, its high one for expedited.
 */
const TIMES: Readonly<Record<string, Readonly<Partial<Record<ThawSpeed, Hours>>>>> = {
  'S3 GLACIER': {
    expedited: { least: 1 / 60, most: 5 / 60 },
    standard: { least: 3, most: 5 },
    bulk: { least: 5, most: 12 },
  },
  'S3 DEEP_ARCHIVE': { standard: { least: 9, most: 12 }, bulk: { least: 12, most: 48 } },
  'AZURE Archive': {
    expedited: { least: 0, most: 1 },
    standard: { least: 1, most: 15 },
    bulk: { least: 1, most: 15 },
  },
};

type Classed = Pick<StoreAddress, 'kind'> & { readonly storageClass?: string };

function timesOf(kind: StoreAddress['kind'], storageClass: string | undefined) {
  return TIMES[`${kind.toUpperCase()} ${storageClass ?? ''}`];
}

/** True when what backups are made of must be thawed there to be read. Google's ARCHIVE can be read at once. */
export function isArchived(store: Classed): boolean {
  return timesOf(store.kind, store.storageClass) !== undefined;
}

/** Hours until everything can be read; undefined when the class has no such speed, or is not known. */
export function thawHours(
  kind: StoreAddress['kind'],
  storageClass: string | undefined,
  speed: ThawSpeed,
): Hours | undefined {
  return timesOf(kind, storageClass)?.[speed];
}

/** How often is looked whether it is thawed: about fifty times in all, never more than once a minute. */
export function lookAgainSeconds(hoursMost: number | undefined): number {
  return Math.min(1800, Math.max(60, Math.round(((hoursMost ?? 12) * 3600) / 50)));
}

/** When waiting ends: four times what it should take, and two days at least. */
export function thawLimitSeconds(hoursMost: number | undefined): number {
  return Math.max(2 * 86_400, (hoursMost ?? 48) * 4 * 3600);
}
