/** Following changed files, as people and programs meet it from outside. */

export interface FollowChangesInput {
  readonly system: string;
  /** A plan with `onChange`. */
  readonly plan: string;
  /** What the run before this one knew; people leave it out. */
  readonly prints?: string;
}

export interface FollowChangesResult {
  readonly outcome: 'stopped';
  readonly why: string;
}
