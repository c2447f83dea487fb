/** Which ends of operations belong into the audit log: of what changed something, or was to. Pure. */
import type { StoreVerdict } from '../workflows/contract.ts';

/** By the kind of their report. */
const KINDS: readonly string[] = [
  'restore',
  'rows',
  'missing',
  'prune',
  'housekeeping',
  'restart',
  'failover',
  'handover',
];
/** They looked, and changed nothing. */
const LOOKED: readonly string[] = ['planned', 'nothing'];

export interface AuditedEnd {
  readonly outcome: string;
  readonly why?: string;
  readonly digest?: string;
  readonly about?: string;
}

/** Undefined for what is no matter of an audit. */
export function auditedEnd(kind: string, report: Readonly<Record<string, unknown>>): AuditedEnd | undefined {
  if (kind === 'verifyStore') return healedEnd(report);
  const { outcome, why, plan, failure } = report;
  if (!KINDS.includes(kind) || typeof outcome !== 'string' || LOOKED.includes(outcome)) return undefined;
  const reason = typeof why === 'string' ? why : textIn(failure, 'message');
  const digest = textIn(plan, 'digest');
  return { outcome, ...(reason === undefined ? {} : { why: reason }), ...(digest === undefined ? {} : { digest }) };
}

/** Objects that were replaced, or put aside: they are in the store no more as they were. */
function healedEnd({ stores }: Readonly<Record<string, unknown>>): AuditedEnd | undefined {
  const verdicts = (Array.isArray(stores) ? stores : []) as readonly Pick<StoreVerdict, 'store' | 'bad'>[];
  const about = verdicts.flatMap(({ store, bad }) =>
    (['healed', 'removed'] as const).flatMap((outcome) => {
      const count = bad.filter((one) => one.outcome === outcome).length;
      return count === 0 ? [] : [`${count} objects of ${store} ${outcome === 'healed' ? 'replaced' : 'put aside'}`];
    }),
  );
  return about.length === 0 ? undefined : { outcome: 'healed', about: about.join(', ') };
}

function textIn(value: unknown, key: string): string | undefined {
  if (typeof value !== 'object' || value === null || !(key in value)) return undefined;
  const found: unknown = (value as Record<string, unknown>)[key];
  return typeof found === 'string' ? found : undefined;
}
