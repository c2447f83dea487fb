/** What workflows ask of the world to keep the audit log. */
import type { Asker } from '../policy/askers.ts';
import type { AuditEvent } from '../workflows/audit-contract.ts';

/** What a question to a person is asked under. */
export interface Asking {
  readonly asker: Asker;
  /** Who asked may not approve. */
  readonly fourEyes: boolean;
}

/** Run on the orchestration queue. */
export interface AskingActivities {
  /** Who started the run that asks for this, and whether another person has to approve. */
  whoAsks(input: { system: string }): Promise<Asking>;
  /** What the engine recorded of the client that gave the last answer to this run; undefined when nobody has answered. */
  whoAnswered(input: { workflowId: string; runId: string }): Promise<Asker | undefined>;
  /** The hosts that may write the log, those that keep the stores first. */
  describeAudit(input: { system: string }): Promise<{ readonly hosts: readonly string[] }>;
}

export interface AuditWritten {
  readonly key: string;
  readonly stores: readonly string[];
  readonly lacking: readonly { readonly store: string; readonly why: string }[];
}

/** Run on the host's urgent queue. */
export interface AuditActivities {
  /**
   * Writes one event into the log of this host's signer, in every store that can be reached; a repeat finds it and brings
   * it to those that lacked it. Throws what kept it from all of them. With `ownKey` a host without a signer makes a key,
   * which nobody has admitted.
   */
  recordAudit(input: { system: string; event: AuditEvent; ownKey?: boolean }): Promise<AuditWritten>;
}
