/** Which ends of operations belong into the audit log: of what changed something, or was to. Pure. */

/** By the kind of their report. */
const KINDS: readonly string[] = ['restore', 'rows', 'missing', 'prune', 'housekeeping'];
/** They looked, and changed nothing. */
const LOOKED: readonly string[] = ['planned', 'nothing'];

export interface AuditedEnd {
  readonly outcome: string;
  readonly why?: string;
  readonly digest?: string;
}

/** Undefined for what is no matter of an audit. */
export function auditedEnd(kind: string, report: Readonly<Record<string, unknown>>): AuditedEnd | undefined {
  const { outcome, why, plan, failure } = report;
  if (!KINDS.includes(kind) || typeof outcome !== 'string' || LOOKED.includes(outcome)) return undefined;
  const reason = typeof why === 'string' ? why : textIn(failure, 'message');
  const digest = textIn(plan, 'digest');
  return { outcome, ...(reason === undefined ? {} : { why: reason }), ...(digest === undefined ? {} : { digest }) };
}

function textIn(value: unknown, key: string): string | undefined {
  if (typeof value !== 'object' || value === null || !(key in value)) return undefined;
  const found: unknown = (value as Record<string, unknown>)[key];
  return typeof found === 'string' ? found : undefined;
}
