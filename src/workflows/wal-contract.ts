/** Receiving a write-ahead log, as people and programs meet it from outside. */

export interface ReceiveWalInput {
  readonly system: string;
  /** A PostgreSQL component of the method `base` with `wal`. */
  readonly component: string;
  /** What the run before this one knew; people leave it out. */
  readonly mark?: string;
  readonly alarm?: string;
  readonly alarmMessage?: string;
}

export interface ReceiveWalResult {
  readonly outcome: 'stopped';
  readonly why: string;
}

/** Signals `pauseWal` and `resumeWal`: who wants the log left alone, such as a restore. */
export interface WalPause {
  readonly by: string;
}

/** How far a write-ahead log is received, in heartbeats. Positions as PostgreSQL prints them. */
export interface WalProgress {
  readonly timeline?: number;
  readonly serverLsn?: string;
  readonly receivedLsn?: string;
  /** Durable in the store up to here. */
  readonly storedLsn?: string;
  /** By the server's clock: what it had acknowledged before is in the store. */
  readonly recoveryPointAt?: string;
  /** What the slot, or the archive directory, holds back. */
  readonly heldBackBytes?: number;
  readonly boundBytes?: number;
  /** What does not work at this moment. */
  readonly trouble?: string;
}
