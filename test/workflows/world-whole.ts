/** The plan of a whole system in the scripted world: a ledger that is needed, files that are not, each of its own backup. */
import type { CheckOutcome, ReconcileOutcome, SystemFacts } from '../../src/activities/types.ts';
import type { PlanRequest, WholePart, WholePlan } from '../../src/workflows/contract.ts';

export interface WholeWorld {
  /** Parts whose server comes back with its stack. */
  readonly late?: readonly string[];
  /** What no backup has. */
  readonly missing?: WholePlan['missing'];
  /** What the checks of the running system say, each time they are asked. */
  readonly checks?: (call: number) => readonly CheckOutcome[];
  readonly reconcile?: readonly ReconcileOutcome[];
}

/** Each time that something was passed over it is another plan. */
export function fallenDigest(fellBack: PlanRequest['fellBack']): string | undefined {
  return fellBack === undefined ? undefined : String(fellBack.times).repeat(64);
}

const POINT_MS = Date.parse('2026-11-21T02:00:00Z');

export function wholePlan(
  newest: string,
  { missing = [] }: WholeWorld,
  fellBack: PlanRequest['fellBack'] = { times: 0, passedOver: [] },
): WholePlan {
  const backup = fellBack.times === 0 ? newest : `${newest}-older-${fellBack.times}`;
  const pointAt = new Date(POINT_MS - fellBack.times * 3_600_000).toISOString();
  const part = (name: string, of: string, needed: boolean): WholePart => ({
    name,
    tier: needed ? 'critical' : 'important',
    backup: of,
    manifestKey: `backups/${of}.json`,
    store: 'main',
    pointAt,
    lostSeconds: 60,
    needed,
    problems: [],
  });
  return {
    parts: [part('ledger', backup, true), part('config', 'backup-config', false)],
    spreadSeconds: 0,
    missing,
    passedOver: fellBack.passedOver,
    fallBacks: { made: fellBack.times, most: 3 },
    frozen: [],
  };
}

export function wholeFacts(host: string, { checks, reconcile }: WholeWorld): Partial<SystemFacts> {
  return {
    objectives: { rtoSeconds: 3600, tiers: { critical: 1800 }, components: {} },
    ...(checks === undefined ? {} : { checks: [{ name: 'health', host }] }),
    ...(reconcile === undefined ? {} : { reconcile: reconcile.map(({ name }) => ({ name, host })) }),
  };
}

export function health(ok: boolean, severity: CheckOutcome['severity'] = 'fatal'): CheckOutcome {
  return { name: 'health', kind: 'http', ok, severity, detail: ok ? 'answered 200' : 'answered 503', tookMs: 5 };
}

export function balances(outcome: 'same' | 'differs'): ReconcileOutcome {
  const same = { name: 'balances', outcome, detail: 'no difference', differenceCount: 0, tookMs: 5 };
  if (outcome === 'same') return same;
  const kept = { host: 'alpha', file: '/reports/reconcile/run-balances.json', sha256: 'd'.repeat(64), count: 1 };
  return { ...same, detail: '1 difference', differenceCount: 1, kept };
}
