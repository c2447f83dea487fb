/** What retention is decided by, and what it says. */

/** What is known of one backup in one store. Times that a signer claims are told from those of the store's own clock. */
export interface RetentionFact {
  /** The manifest's key. */
  readonly key: string;
  readonly plan: string;
  readonly purpose: 'backup' | 'safety';
  readonly tag?: string;
  /** Claimed. */
  readonly startedAtMs: number;
  /** Claimed. */
  readonly finishedAtMs: number;
  readonly signer: string;
  readonly sequence: number;
  /** When the manifest came into the store, by the store's clock. */
  readonly storedAtMs: number;
  /** When its capture's record came into the store, by the store's clock; absent when there is none any more. */
  readonly recordedAtMs?: number;
  /**
   * Another key than its own says that it came here as a copy, so that the store's clock says little of it. Only asked where
   * captures come first.
   */
  readonly copied?: boolean;
  /** Absent: trusted. */
  readonly untrusted?: string;
  /** Why it is no part of the history in force: made by a site that was fenced. */
  readonly apart?: string;
  /** The strongest good verdict on its content or by a restore, and whose; absent when there is none. */
  readonly proof?: 'other-signer' | 'own-signer';
  /** The newest verdict says that it is damaged. */
  readonly damaged?: boolean;
  /** Why it is held, for each hold that stands. */
  readonly holds: readonly string[];
}

export interface RetentionOptions {
  /** Of the plan's schedule. Default UTC. */
  readonly timeZone?: string;
  /** The shortest time between two runs that the plan's schedule asks for; absent without a schedule. */
  readonly intervalSeconds?: number;
  /** Captures come here first: the store's clock then bounds what a manifest may claim. False for a store of copies. */
  readonly capturesHere: boolean;
  /** How long a safety backup is kept. */
  readonly keepAsideSeconds: number;
  /** Younger ones are never deleted and displace nothing. Default 24 hours. */
  readonly minimumAgeSeconds?: number;
  /** The same for those of an interval that holds more than the schedule explains. Default 7 days, or the age above. */
  readonly surplusAgeSeconds?: number;
}

export interface RetentionDecision {
  readonly key: string;
  readonly keep: boolean;
  /** At least one, for people: every rule that keeps it, or why nothing does. */
  readonly reasons: readonly string[];
  /** It takes no place of a rule: why. */
  readonly apart?: string;
}

export interface RetentionResult {
  /** Newest first by the claimed start, then by key. */
  readonly decisions: readonly RetentionDecision[];
  /** What a person should look at: backups whose times cannot be, more of them than the schedule explains. */
  readonly anomalies: readonly string[];
}
