/** What the activities of standing workflows give and take: receiving logs, watching files. */
import type { SiteWatchActivities } from './site-watch-types.ts';
import type { WalAlarm } from '../policy/wal-alarm.ts';

/** What a workflow needs to know of a component whose log is received. */
export interface WalFacts {
  readonly host: string;
  readonly mode: 'stream' | 'archive';
  readonly everySeconds: number;
  /** The plan with the fewest components that takes a base backup of it. */
  readonly basePlan?: string;
}

/** Why an activity that receives a log hands back to its workflow. */
export type WalTurn =
  /** The time of one turn is over; nothing is wrong. */
  | { readonly kind: 'over' }
  /** The alarm is another one now, or none. */
  | { readonly kind: 'alarm'; readonly alarm?: WalAlarm }
  /** The cluster or the newest gap of its log is another one; `base` says whether a base backup is needed, and why. */
  | { readonly kind: 'mark'; readonly mark: string; readonly base?: string };

export interface WalTurnInput {
  readonly system: string;
  readonly component: string;
  readonly mark?: string;
  readonly alarm?: WalAlarm;
}

/** Run on the host's queue for logs, each for as long as its turn lasts. */
export interface WalActivities extends SiteWatchActivities {
  /** Streams the log by a replication slot. Two at once: the second waits for the slot. */
  receiveWal(input: WalTurnInput): Promise<WalTurn>;
  /** Collects the log from the directory that archive_command fills. */
  collectWal(input: WalTurnInput): Promise<WalTurn>;
  /** Watches files until they are not what `print` was made of, and nobody writes to them any more. */
  awaitChange(input: { system: string; components: readonly string[]; print?: string }): Promise<ChangeSeen>;
}

/** What one host watches of a plan. */
export interface ChangeFacts {
  readonly host: string;
  readonly components: readonly string[];
}

export interface ChangeSeen {
  readonly changed: boolean;
  /** Of the files as they are now. */
  readonly print: string;
}
