/** When the stores of a system were last read back as a whole, from the records that lie in them. Needs no engine. */
import type { Colours } from '../observe/colours.ts';
import { formatAge, formatCount, formatSeconds } from '../observe/format.ts';
import { provenRead, type ProvenRead } from '../policy/proven-read.ts';
import { readBackOf } from '../policy/read-back.ts';
import { isArchived } from '../policy/thaw.ts';
import type { StoreConfig, System } from '../system/types.ts';
import { readingVault } from '../vault/maintained.ts';
import { readingOf, readReadings } from '../vault/verify/readings.ts';
import { tell, type ToldError } from '../observe/told.ts';
import { answeredInTime, STORE_LIMIT_MS, storeQuestion } from './asked-once.ts';
import type { UnreadStore } from './store-answers.ts';

export interface StoreReadBack {
  readonly store: string;
  /** Objects that the last look at them found bad, and that were not healed. The 0 of 3-2-1-1-0. */
  readonly errors: number;
  /** Some of them. */
  readonly bad: readonly string[];
  readonly completeSince?: string;
  readonly last?: string;
  /** Of the store, from 0 to 1: what was ever read back. */
  readonly fraction: number;
  /** Parts that were read longer ago than `verifyEvery`, of 256. */
  readonly overdue: number;
  /** Which of its backups are proved by having been read back with all of it. */
  readonly proven?: ProvenRead;
  /** Its objects lie in an archive class and are only looked at for presence. */
  readonly archived?: true;
  readonly unread?: ToldError;
}

const BAD_SHOWN = 5;

/** `unread`: stores that could not be read a moment ago, and are not asked again: each would be waited for as long again. */
export function storeReadBacks(
  system: System,
  nowMs: number,
  unread: readonly UnreadStore[] = [],
): Promise<StoreReadBack[]> {
  const nothing = { errors: 0, bad: [], fraction: 0, overdue: 0 };
  return Promise.all(
    system.stores.map(async (config) => {
      const missed = unread.find(({ store }) => store === config.name);
      if (missed !== undefined) return { store: config.name, ...nothing, unread: missed.error };
      return answeredInTime(storeQuestion(system, config), STORE_LIMIT_MS, () =>
        storeReadBack(system, config, nowMs),
      ).catch((error: unknown) => ({ store: config.name, ...nothing, unread: tell(error) }));
    }),
  );
}

function storeReadBack(system: System, config: StoreConfig, nowMs: number): Promise<StoreReadBack> {
  return readingVault(system, config, async (from) => {
    const readings = (await readReadings(from)).map(readingOf);
    const archived = isArchived(config);
    const everySeconds = archived ? undefined : config.verifyEverySeconds;
    const known = readBackOf(readings, { everySeconds, nowMs });
    const proven = provenRead(readings);
    return {
      store: config.name,
      errors: known.bad.length + known.unnamed,
      bad: known.bad.slice(0, BAD_SHOWN),
      ...(known.completeSinceMs === undefined ? {} : { completeSince: new Date(known.completeSinceMs).toISOString() }),
      ...(known.lastMs === undefined ? {} : { last: new Date(known.lastMs).toISOString() }),
      fraction: known.fraction,
      overdue: known.overdue,
      ...(proven === undefined ? {} : { proven }),
      ...(archived ? { archived } : {}),
    };
  });
}

/** Nothing of a store that could not be read: that is told once, elsewhere. */
export function readBackText(of: StoreReadBack, colours: Colours, nowMs: number): string {
  const parts = [
    of.errors === 0 ? '' : colours.red(`${formatCount(of.errors, 'bad object')}, such as ${of.bad[0] ?? ''}`),
    readText(of, nowMs),
    of.overdue === 0 ? '' : colours.yellow(`${of.overdue} of 256 parts are due`),
  ].filter((part) => part !== '');
  return `store  ${of.store}: ${parts.join(', ')}`;
}

function readText({ completeSince, fraction, last, archived, unread }: StoreReadBack, nowMs: number): string {
  if (unread !== undefined) return 'not known when it was read back';
  if (archived === true) {
    return last === undefined
      ? 'an archive, never looked at'
      : `an archive, seen ${formatAge(Date.parse(last), nowMs)}`;
  }
  if (completeSince !== undefined) {
    return `all read back in the last ${formatSeconds((nowMs - Date.parse(completeSince)) / 1000)}`;
  }
  if (last === undefined) return 'never read back as a whole (holdfast verify --whole)';
  return `${Math.round(fraction * 100)} % read back, last ${formatAge(Date.parse(last), nowMs)}`;
}
