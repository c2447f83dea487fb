/** What buckets that replicate themselves to another region have brought there. Needs no engine. */
import type { Colours } from '../observe/colours.ts';
import { formatAge, formatCount, formatSeconds } from '../observe/format.ts';
import { log } from '../observe/log.ts';
import { tell } from '../observe/told.ts';
import type { BackupSeen } from '../policy/backup-seen.ts';
import { replicaOf, type ReplicaSeen, type ReplicatedBackup } from '../policy/replica.ts';
import { openStore } from '../stores/index.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { StoreConfig, System } from '../system/types.ts';
import { answeredInTime, STORE_LIMIT_MS, storeQuestion } from './asked-once.ts';

/** Of a bucket that replicates; one that doesn't is asked once. */
const MOST_LOOKED_AT = 10;

/** One of each bucket that replicates. What can't be asked is left out here: the store's own lines tell it. */
export async function replicasSeen(
  system: System,
  backups: readonly BackupSeen[],
  unread: readonly { readonly store: string }[],
  nowMs: number,
): Promise<ReplicaSeen[]> {
  const buckets = system.stores.filter(
    (config) => config.kind === 's3' && !unread.some(({ store }) => store === config.name),
  );
  const found = await Promise.all(
    buckets.map((config) =>
      answeredInTime(`${storeQuestion(system, config)}: its replica`, STORE_LIMIT_MS, () =>
        replicaSeen(config, backups, nowMs),
      ).catch((error: unknown) => {
        log('status').warn({ store: config.name }, `its replication could not be asked for: ${tell(error).message}`);
        return undefined;
      }),
    ),
  );
  return found.filter((one) => one !== undefined);
}

async function replicaSeen(
  config: StoreConfig,
  backups: readonly BackupSeen[],
  nowMs: number,
): Promise<ReplicaSeen | undefined> {
  const own = backups
    .filter(({ trusted, stores }) => trusted && stores.includes(config.name))
    .toSorted((one, other) => other.pointAtMs - one.pointAtMs)
    .slice(0, MOST_LOOKED_AT);
  const store = await openStore(config, resolveSecret);
  try {
    const { replication } = store;
    if (replication === undefined) return undefined;
    const seen: ReplicatedBackup[] = [];
    for (const { id: backup, key, pointAtMs, finishedAtMs: writtenAtMs } of own) {
      const state = await replication.stateOf(key);
      seen.push({ backup, pointAtMs, writtenAtMs, ...(state === undefined ? {} : { state }) });
      if (state === undefined) break;
    }
    return replicaOf(config.name, seen, nowMs);
  } finally {
    await store.close();
  }
}

export function replicaText(
  { store, pointAt, waiting, lagSeconds, failed }: ReplicaSeen,
  colours: Colours,
  nowMs: number,
): string {
  const there =
    pointAt === undefined
      ? 'none of the newest backups is there'
      : `its recovery point is ${formatAge(Date.parse(pointAt), nowMs)}`;
  const behind =
    lagSeconds === undefined ? '' : `; ${formatCount(waiting, 'backup')} on the way since ${formatSeconds(lagSeconds)}`;
  const lost = failed.length === 0 ? '' : colours.red(`; given up: ${failed.join(', ')}`);
  return `replica of store ${store}: ${there}${behind}${lost}`;
}
