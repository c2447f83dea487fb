/** What is written into a system's audit log, and the workflow that sees to it. */

/**
 * `asked`: a plan waits for a person. `approved`, `rejected`, `expired`: what became of it. `withdrawn`: the operation was
 * cancelled while it waited. `raised`, `cleared`, `taken-back`: what became of a generation of a failover. `ended`: with its outcome. `done`: by a command or a host itself, outside of any operation.
 */
export type AuditWhat =
  'asked' | 'approved' | 'rejected' | 'expired' | 'withdrawn' | 'raised' | 'cleared' | 'taken-back' | 'ended' | 'done';

/** One thing that happened, as one flat object. */
export interface AuditEvent {
  /** Of its own for each event: a repeat is known by it. */
  readonly id: string;
  readonly what: AuditWhat;
  /** When it happened, by the engine. RFC 3339. */
  readonly at: string;
  readonly operation: string;
  /** The run that tells it; absent of what a command has done without the engine. */
  readonly workflowId?: string;
  readonly runId?: string;
  /** Of the printed plan, of the system file where that has changed. */
  readonly digest?: string;
  /** What was waited for, or what was done to what, in words. */
  readonly about?: string;
  /** Who asked, approved or rejected, as they name themselves. */
  readonly by?: string;
  /** The machine they did it from, when it is known. */
  readonly from?: string;
  /** What the engine recorded of the client: proof where the engine authenticates, else one more claim. */
  readonly identity?: string;
  readonly outcome?: string;
  readonly why?: string;
}

/** Input of the workflow `audit`. */
export interface AuditInput extends AuditEvent {
  readonly system: string;
  readonly workflowId: string;
  readonly runId: string;
}

export interface AuditResult {
  readonly key: string;
  readonly stores: readonly string[];
  /** Those that did not take it in a day; the next copy brings it to them. */
  readonly lacking: readonly { readonly store: string; readonly why: string }[];
}
