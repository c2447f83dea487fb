/** What the plot needs of the place where it plays: a ledger that is written all the time, and ways to hurt it. */

export interface LedgerNumbers {
  readonly records: number;
  readonly head: string;
}

export interface Scene {
  /** The components that are captured, in words. */
  readonly description: string;
  readonly seed: number;
  readonly accounts: number;
  /** Brings everything up, the ledger under load. */
  begin(): Promise<void>;
  systemFile(storePath: string): string;
  /** What the ledger says now. Throws when it does not serve. */
  health(): Promise<LedgerNumbers>;
  /** Called around a capture; for scenes where nothing can be frozen. */
  aroundCapture<T>(work: () => Promise<T>): Promise<T>;
  /** Makes the next capture long enough to have a middle, where that is needed. */
  beforeKill?(): Promise<void>;
  /** Resolves in the middle of a capture: where the worker is to be killed. Says where that is. */
  middleOfCapture(storePath: string): Promise<string>;
  /** Resolves when nothing is held still any more; says what was seen, undefined where nothing ever was. */
  released(): Promise<string | undefined>;
  /** Where the component `ledger` can be restored to be looked at, and where its file lies then. */
  lookAt(directory: string): { readonly target: string; file(): Promise<string> };
  /** Destroys the ledger's data for good. */
  destroy(): Promise<string>;
  /** Starts by hand what no restore starts here. */
  reopen(): Promise<void>;
  /** What the ledger found when it opened its file for the last time. */
  firstWords(): Promise<LedgerNumbers>;
  /** The ledger file as of one moment, judged by its own check. */
  checkNow(): Promise<LedgerNumbers & { readonly ok: boolean; readonly problems: readonly string[] }>;
  end(): Promise<void>;
}
