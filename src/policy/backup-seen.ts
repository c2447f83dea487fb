/** A backup as judgments see it, wherever it lies. */

export interface BackupSeen {
  readonly id: string;
  readonly key: string;
  /** Of the manifest's bytes. */
  readonly sha256: string;
  readonly plan: string;
  readonly tag?: string;
  readonly purpose: 'backup' | 'safety';
  /** Under which its site was active when it was made; 0 of before there were sites. */
  readonly generation: number;
  /** Why it is no part of the history in force: what a fenced site has made. */
  readonly apart?: string;
  readonly trusted: boolean;
  /** Why it is not trusted. */
  readonly why?: string;
  readonly startedAtMs: number;
  readonly pointAtMs: number;
  readonly finishedAtMs: number;
  readonly downtimeMs: number;
  readonly signer: string;
  readonly sequence: number;
  readonly components: readonly {
    readonly name: string;
    readonly kind: string;
    /** Plain bytes of all of it. */
    readonly sizeBytes: number;
    /** What capturing it has stored. */
    readonly storedBytes: number;
  }[];
  readonly stores: readonly string[];
  /** When its manifest came into each, by the store's own clock; absent where that was not asked. */
  readonly storedAt?: readonly { readonly store: string; readonly atMs: number }[];
  /** The newest verdict in each store that has one. */
  readonly verdicts: readonly VerdictSeen[];
}

export interface VerdictSeen {
  readonly store: string;
  readonly level: 'presence' | 'content' | 'restored';
  readonly ok: boolean;
  readonly atMs: number;
  /** Bad objects. */
  readonly errors: number;
  /** When it was last read back in full, or restored, and found good there. */
  readonly provedAtMs?: number;
}

/** As something to restore from: neither a safety backup nor one that is kept apart is ever newest, fresh or proved. */
export function counts({ purpose, apart }: Pick<BackupSeen, 'purpose' | 'apart'>): boolean {
  return purpose === 'backup' && apart === undefined;
}

export function sizeOf({ components }: Pick<BackupSeen, 'components'>): number {
  return components.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

export function storedBy({ components }: Pick<BackupSeen, 'components'>): number {
  return components.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
}

/** One good copy is enough to restore: bad only where no store has a good one. */
export function isGood({ verdicts }: Pick<BackupSeen, 'verdicts'>): boolean {
  return verdicts.length === 0 || verdicts.some(({ ok }) => ok);
}

/** Read back in full, or restored, somewhere where nothing bad was found since. */
export function isProved({ verdicts }: Pick<BackupSeen, 'verdicts'>): boolean {
  return verdicts.some(({ ok, provedAtMs }) => ok && provedAtMs !== undefined);
}
