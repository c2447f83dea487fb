/** A site that stops for another one, as people and programs meet it from outside. */

export interface HandoverInput {
  readonly system: string;
  /** The generation that another site asks for. */
  readonly n: number;
  readonly attempt: number;
}

export interface HandoverResult {
  /**
   * `handed-over`: the other site has the generation. `refused`: the system runs on here, `why` says why it did not stop.
   * `started-again`: it was stopped, and runs here again: it was withdrawn, given back, or not taken in time.
   */
  readonly outcome: 'handed-over' | 'refused' | 'started-again' | 'over';
  readonly why?: string;
  /** Which asked. */
  readonly to?: string;
  readonly backups?: readonly { readonly plan: string; readonly backup: string; readonly pointAt: string }[];
  readonly downSeconds?: number;
}
