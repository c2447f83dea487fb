/** Watching the other sites of a system, as people and programs meet it from outside. */

export interface SiteWatchInput {
  readonly system: string;
  /** What was acted on before this run; people leave it out. */
  readonly known?: string;
  /** How many failovers it has started one after another that took nothing over; people leave it out. */
  readonly inVain?: number;
}

export interface SiteWatchResult {
  readonly outcome: 'stopped';
  readonly why: string;
}
