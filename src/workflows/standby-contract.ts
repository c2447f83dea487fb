/** A warm standby, as people and programs meet it from outside. */

export interface StandbyInput {
  readonly system: string;
}

export interface StandbyResult {
  readonly outcome: 'stopped';
  readonly why: string;
}
