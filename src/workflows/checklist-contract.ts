/** Going through a checklist, as people and programs meet it from outside. */

export interface ChecklistInput {
  readonly system: string;
  /** `before-backup`, `after-backup`, `restore-test`, `monthly` or `audit`. */
  readonly list: string;
}

export interface ChecklistResult {
  readonly list: string;
  readonly outcome: 'complete' | 'open' | 'failed' | 'unknown';
  /** The report in the stores. */
  readonly report: string;
  /** Points by their state. */
  readonly points: Readonly<Record<'pass' | 'fail' | 'unknown' | 'open' | 'signed', number>>;
}
