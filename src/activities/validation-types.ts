/** Checks of a running system: of the live one, or of an isolated copy of it. */
import type { KeptDifferences } from '../policy/check-values.ts';
import type { OwnServer } from '../postgres/own-server.ts';

/** What stands for a database of the system file. */
export interface DatabasePlace {
  /** Of a SQLite component: the file. */
  readonly path?: string;
  /** Of a PostgreSQL component: a name, an address or the directory of a socket; absent: as the system file has it. */
  readonly address?: string;
  readonly port?: number;
  readonly user?: string;
  /** Names as the system file has them → names there. */
  readonly databases?: Readonly<Record<string, string>>;
  /** Of a PostgreSQL component: a server of the copy alone, in place of address, port and user. */
  readonly own?: OwnServer;
}

/** An isolated copy of a system. What is not named here is not asked at all: never the live one in its place. */
export interface CheckPlace {
  /** Component → what stands for it. */
  readonly components?: Readonly<Record<string, DatabasePlace>>;
  /** Service → name or id of the container that stands for its own. */
  readonly containers?: Readonly<Record<string, string>>;
  /** Origin as the system file has it, such as `http://localhost:8080` → origin of the copy. */
  readonly origins?: Readonly<Record<string, string>>;
}

export interface CheckOutcome {
  readonly name: string;
  readonly kind: 'http' | 'sql' | 'command';
  readonly ok: boolean;
  /** It was not asked: the isolated copy has nothing that stands for what it asks. Then it is not `ok` either. */
  readonly skipped?: true;
  readonly severity: 'fatal' | 'warning';
  /** One line. */
  readonly detail: string;
  readonly tookMs: number;
}

export interface ReconcileOutcome {
  readonly name: string;
  /** `failed`: what was asked could not answer, so that nothing is known. */
  readonly outcome: 'same' | 'differs' | 'failed' | 'skipped';
  readonly detail: string;
  readonly differenceCount: number;
  /** Where the first of them are; absent when there are none, or when they could not be written down. */
  readonly kept?: KeptDifferences;
  readonly tookMs: number;
}

export interface ValidationActivities {
  /**
   * Asks what the system file has under `checks` for this host, all at the same time, and answers with a verdict for
   * each, also for those that could not be asked. With `place`, of the isolated copy alone. Throws for cancellation, an
   * unknown system and a defect only.
   */
  runChecks(input: { system: string; host: string; place?: CheckPlace }): Promise<readonly CheckOutcome[]>;
  /** The same of `reconcile`. Differences are data and stay on the host: what comes back counts them and says where they are. */
  runReconcile(input: { system: string; host: string; place?: CheckPlace }): Promise<readonly ReconcileOutcome[]>;
}
