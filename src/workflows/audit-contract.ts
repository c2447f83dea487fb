/** What is written into a system's audit log, and the workflow that sees to it. */

/**
 * `asked`: a plan waits for a person. `approved`, `rejected`, `expired`: what became of it. `withdrawn`: the operation was
 * cancelled while it waited. `ended`: with its outcome.
 */
export type AuditWhat = 'asked' | 'approved' | 'rejected' | 'expired' | 'withdrawn' | 'ended';

/** One thing that happened, as one flat object. */
export interface AuditEvent {
  /** Of its own for each event: a repeat is known by it. */
  readonly id: string;
  readonly what: AuditWhat;
  /** When it happened, by the engine. RFC 3339. */
  readonly at: string;
  readonly operation: string;
  readonly workflowId: string;
  readonly runId: string;
  /** Of the printed plan. */
  readonly digest?: string;
  /** What was waited for, in words. */
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
}

export interface AuditResult {
  readonly key: string;
  readonly stores: readonly string[];
  /** Those that did not take it in a day; the next copy brings it to them. */
  readonly lacking: readonly { readonly store: string; readonly why: string }[];
}
