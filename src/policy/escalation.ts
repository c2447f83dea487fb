/** Who is told of a trouble, and when: levels by time, until somebody acknowledges it or it is gone. Pure. */
import type { Check, Severity } from './findings.ts';

export interface EscalationLevel {
  readonly name: string;
  /** From the moment that `countFrom` says. */
  readonly afterSeconds: number;
  readonly channels: readonly string[];
  /** Who it is, for the runbook. */
  readonly contact?: string;
  /** What they are to do, for the runbook. */
  readonly action?: string;
}

export interface EscalationPolicy {
  /** By time, no two of one time. None: nobody is told, and the incident is kept all the same. */
  readonly levels: readonly EscalationLevel[];
  /** `outage`: since the trouble began, as far as that is known. `notice`: since it was noticed, as response times are. */
  readonly countFrom: 'outage' | 'notice';
  /** Everybody who was told is reminded after so long without news. */
  readonly repeatSeconds: number;
  /** A trouble that is gone for so long is over; one that comes back before goes on. */
  readonly settleSeconds: number;
  /** An acknowledgement holds for so long. */
  readonly acknowledgedForSeconds: number;
}

export interface EscalationConfig {
  readonly base: EscalationPolicy;
  /** Instead of the base, by check or severity. */
  readonly classes: Readonly<Partial<Record<Check | Severity, EscalationPolicy>>>;
}

/**
 * By the finding's check, else by its severity, else the base, of which a warning gets the first level only: nobody is
 * called out of bed because a backup is larger than usual.
 */
export function policyFor(
  { base, classes }: EscalationConfig,
  { check, severity }: { readonly check: Check; readonly severity: Severity },
): EscalationPolicy {
  const own = classes[check] ?? classes[severity];
  if (own !== undefined) return own;
  return severity === 'critical' ? base : { ...base, levels: base.levels.slice(0, 1) };
}

/** What is known of one trouble, in milliseconds since 1970. */
export interface EscalationState {
  readonly severity: Severity;
  readonly openedAtMs: number;
  /** When the trouble began; absent: when it was noticed. */
  readonly sinceMs?: number | undefined;
  /** How many levels were told; 0: nobody. Never shrinks. */
  readonly toldLevels: number;
  /** The worst severity that anybody was told. */
  readonly toldSeverity?: Severity | undefined;
  /** When anybody was told last. */
  readonly toldAtMs?: number | undefined;
  readonly acknowledgedAtMs?: number | undefined;
  readonly healedAtMs?: number | undefined;
}

/** `unattended`: an acknowledgement has run out, and the trouble is still there. */
export type WhyTold = 'opened' | 'escalated' | 'raised' | 'unattended' | 'reminder';

export type Due =
  /** The levels from `first` to `last`, counted from 1. */
  | { readonly kind: 'tell'; readonly why: WhyTold; readonly first: number; readonly last: number }
  /** It has been gone for long enough: everybody who was told learns of it, and the incident ends. */
  | { readonly kind: 'resolve' };

export interface Decision {
  /** What is to be done now. */
  readonly due?: Due;
  /** When to look again if nothing happens before; absent: when something happens. */
  readonly nextAtMs?: number;
}

/**
 * What is due at `nowMs`. Asked again after each `tell` was written into the state, it goes on until nothing is due.
 * Promises: no level is told twice except by `raised`, `unattended` and `reminder`, which tell those who were told before;
 * nothing is told while an acknowledgement holds or the trouble is gone; a later look never asks for less.
 */
export function decide(policy: EscalationPolicy, state: EscalationState, nowMs: number): Decision {
  const { healedAtMs, toldLevels, toldAtMs } = state;
  if (healedAtMs !== undefined) {
    const overAtMs = healedAtMs + policy.settleSeconds * 1000;
    return nowMs >= overAtMs ? { due: { kind: 'resolve' } } : { nextAtMs: overAtMs };
  }
  const heldUntilMs = acknowledgedUntilMs(policy, state);
  if (heldUntilMs !== undefined && nowMs < heldUntilMs) return { nextAtMs: heldUntilMs };
  const reached = levelsReached(policy, state, nowMs);
  const tell = (why: WhyTold, first: number, last: number): Decision => ({ due: { kind: 'tell', why, first, last } });
  // The policy may have lost levels since they were told.
  const known = Math.min(toldLevels, policy.levels.length);
  const last = Math.max(known, reached);
  if (last > 0 && toldLevels > 0) {
    if (state.toldSeverity === 'warning' && state.severity === 'critical') return tell('raised', 1, last);
    const unattended = heldUntilMs !== undefined && (toldAtMs === undefined || toldAtMs < heldUntilMs);
    if (unattended) return tell('unattended', 1, last);
  }
  if (reached > toldLevels) return tell(toldLevels === 0 ? 'opened' : 'escalated', toldLevels + 1, reached);
  const reminderAtMs = known > 0 && toldAtMs !== undefined ? toldAtMs + policy.repeatSeconds * 1000 : undefined;
  if (reminderAtMs !== undefined && nowMs >= reminderAtMs) return tell('reminder', 1, known);
  return soonest(reminderAtMs, nextLevelAtMs(policy, state, reached));
}

/** How a state is after what was due has been told. */
export function afterTelling<S extends EscalationState>(
  state: S,
  due: Extract<Due, { kind: 'tell' }>,
  nowMs: number,
): S {
  const critical = state.severity === 'critical' || state.toldSeverity === 'critical';
  return {
    ...state,
    toldLevels: Math.max(state.toldLevels, due.last),
    toldSeverity: critical ? 'critical' : 'warning',
    toldAtMs: nowMs,
  };
}

/** Undefined when nobody has acknowledged it. */
export function acknowledgedUntilMs(policy: EscalationPolicy, state: EscalationState): number | undefined {
  const { acknowledgedAtMs } = state;
  return acknowledgedAtMs === undefined ? undefined : acknowledgedAtMs + policy.acknowledgedForSeconds * 1000;
}

function startMs({ countFrom }: EscalationPolicy, { openedAtMs, sinceMs }: EscalationState): number {
  // A beginning in the future is a clock that goes wrong.
  return countFrom === 'outage' ? Math.min(sinceMs ?? openedAtMs, openedAtMs) : openedAtMs;
}

function levelsReached(policy: EscalationPolicy, state: EscalationState, nowMs: number): number {
  const elapsedMs = nowMs - startMs(policy, state);
  const ahead = policy.levels.findIndex(({ afterSeconds }) => afterSeconds * 1000 > elapsedMs);
  return ahead < 0 ? policy.levels.length : ahead;
}

function nextLevelAtMs(policy: EscalationPolicy, state: EscalationState, reached: number): number | undefined {
  const next = policy.levels[Math.max(reached, state.toldLevels)];
  return next === undefined ? undefined : startMs(policy, state) + next.afterSeconds * 1000;
}

function soonest(...times: readonly (number | undefined)[]): Decision {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? {} : { nextAtMs: Math.min(...known) };
}

/** The trouble as it was found again: one that comes back goes on, a worse one is nobody's any more. */
export function foundAgain<S extends EscalationState>(
  state: S,
  found: { readonly severity: Severity; readonly sinceMs?: number | undefined },
): S {
  const worse = state.severity === 'warning' && found.severity === 'critical';
  const begun = [state.sinceMs, found.sinceMs].filter((time) => time !== undefined);
  return {
    ...state,
    severity: found.severity,
    healedAtMs: undefined,
    sinceMs: begun.length === 0 ? undefined : Math.min(...begun),
    ...(worse ? { acknowledgedAtMs: undefined } : {}),
  };
}
