/** When something runs by itself, as a system file says it, after loading. */

/** By the wall clock of a time zone. */
export interface CronTimes {
  readonly cron: string;
  readonly timeZone: string;
  readonly everySeconds?: never;
  readonly offsetSeconds?: never;
}

/** Counted from 1970-01-01T00:00Z plus the offset, whatever clocks do. */
export interface IntervalTimes {
  readonly everySeconds: number;
  readonly offsetSeconds: number;
  readonly timeZone: string;
  readonly cron?: never;
}

export type ScheduleTimes = CronTimes | IntervalTimes;

export type ScheduleConfig = ScheduleTimes & {
  /** A run begins at a random moment up to so much after its time. */
  readonly jitterSeconds?: number;
  /** How late a run that was missed may still be made up for. Absent: about one interval. */
  readonly catchUpSeconds?: number;
  /** Applied, but paused. */
  readonly paused?: boolean;
};

export type VerifySchedule = ScheduleConfig & {
  /** Absent: every store, one after another. */
  readonly store?: string;
  readonly level?: 'presence' | 'content';
  /** All of it instead of the share that is due. */
  readonly all?: boolean;
  readonly heal?: boolean;
};

/** What runs by itself beside the plans. Absent: it does not. */
export interface Maintenance {
  /** By store. */
  readonly prune: Readonly<Record<string, ScheduleConfig>>;
  /** By the store that is brought up to what the others hold. */
  readonly copy: Readonly<Record<string, ScheduleConfig>>;
  readonly verify?: VerifySchedule;
  /** By task of the section `housekeeping`. */
  readonly housekeeping: Readonly<Record<string, ScheduleConfig>>;
  /** Always there, unless paused. */
  /** By list. */
  readonly checklists: Readonly<Record<string, ScheduleConfig>>;
  readonly monitor: ScheduleConfig;
}
