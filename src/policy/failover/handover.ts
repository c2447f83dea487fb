/**
 * A planned change of sites, as decisions: what the active site does when another asks for the system, and what the one that
 * asks does next. Pure. test/policy/failover/handover-model.ts plays them against each other.
 *
 * What makes it safe: a request has one answer, create-only. The active site writes `stopped` only when nothing of its stack
 * runs, and from then on has no right to start under the generation in force; the next generation is create-only, too. So
 * exactly one of both gets it, whoever dies when.
 */
import type { Generation } from './lease.ts';

/** `refused`: by the active site, which runs on. `withdrawn`: by the one that had asked, before it was answered. */
export const HANDOVER_OUTCOMES = ['stopped', 'refused', 'withdrawn'] as const;
export type HandoverOutcome = (typeof HANDOVER_OUTCOMES)[number];

/** After these answers nobody may ask for the same generation again: it is about to be raised. */
export const HANDOVER_BUSY: ReadonlySet<HandoverOutcome> = new Set(['stopped']);

/** What one reading of the authority store shows, the generation first. */
export interface HandoverSeen {
  /** The newest. */
  readonly generation: Generation;
  /** The last that was asked for the generation after it. */
  readonly request?: {
    readonly n: number;
    readonly attempt: number;
    readonly site: string;
    readonly requestId: string;
  };
  readonly answer?: { readonly outcome: HandoverOutcome };
}

/** The site that the newest generation names has stopped for this one: nobody may start under that generation any more. */
export function handedTo({ generation, request, answer }: HandoverSeen): string | undefined {
  return answer?.outcome === 'stopped' && request?.n === generation.n + 1 ? request.site : undefined;
}

/** What the site that was asked knows of itself. */
export interface AskedSite {
  readonly site: string;
  /** The generation that was asked for. */
  readonly n: number;
  readonly attempt: number;
  /** Its stack was stopped for this request. */
  readonly stopped: boolean;
  /** The last backup is made and proved. */
  readonly proved: boolean;
  /** It can't be done: the last backup failed, say. */
  readonly failed?: string;
  /** It has answered `stopped` and waited for as long as was declared. */
  readonly waitedOut: boolean;
}

export type AskedNext =
  | { readonly kind: 'stop' | 'back up' | 'answer stopped' | 'wait' }
  | { readonly kind: 'refuse'; readonly why: string }
  /** The generation is to be raised for this site itself, create-only, and cleared: then it may start again. */
  | { readonly kind: 'raise for itself' }
  /** It was raised for this site, and who did so has not said that it may run. Nobody else ever ran under it. */
  | { readonly kind: 'clear' }
  /** The stack may run here as before; to be started where it was stopped. */
  | { readonly kind: 'start again' }
  /** Another site has the generation. */
  | { readonly kind: 'handed over' };

export function askedSiteNext(seen: HandoverSeen, own: AskedSite): AskedNext {
  const { generation, request, answer } = seen;
  if (generation.site !== own.site) return { kind: 'handed over' };
  if (!generation.cleared) return { kind: generation.n === own.n ? 'clear' : 'wait' };
  if (generation.n >= own.n) return { kind: 'start again' };
  const mine = request?.n === own.n && request.attempt === own.attempt;
  if (!mine || answer?.outcome === 'refused' || answer?.outcome === 'withdrawn') return { kind: 'start again' };
  if (answer?.outcome === 'stopped') return own.waitedOut ? { kind: 'raise for itself' } : { kind: 'wait' };
  if (own.failed !== undefined) return { kind: 'refuse', why: own.failed };
  if (!own.stopped) return { kind: 'stop' };
  return { kind: own.proved ? 'answer stopped' : 'back up' };
}

/** What the site that asks knows of itself. */
export interface AskingSite {
  readonly site: string;
  readonly requestId: string;
  /** Nobody has taken it back here, and the time to wait for an answer is not over. */
  readonly wants: boolean;
}

export type AskingNext =
  | { readonly kind: 'ask' | 'wait' | 'withdraw' | 'raise' }
  /** The site before has stopped and waits: the generation is raised for it. */
  | { readonly kind: 'give back' }
  | { readonly kind: 'over'; readonly why: 'mine' | 'taken' | 'refused' | 'withdrawn' | 'never asked' };

export function askingSiteNext(seen: HandoverSeen, n: number, own: AskingSite): AskingNext {
  const { generation, request, answer } = seen;
  if (generation.n >= n) return { kind: 'over', why: generation.site === own.site ? 'mine' : 'taken' };
  if (request?.n !== n || request.requestId !== own.requestId) {
    return own.wants ? { kind: 'ask' } : { kind: 'over', why: 'never asked' };
  }
  if (answer === undefined) return { kind: own.wants ? 'wait' : 'withdraw' };
  if (answer.outcome !== 'stopped') return { kind: 'over', why: answer.outcome };
  return { kind: own.wants ? 'raise' : 'give back' };
}

/** A request is of its hour: nobody stops a system for one whose asker has given up long ago. By two wall clocks, so with room. */
export function isStale(request: { readonly at: string; readonly withinSeconds: number }, nowMs: number): boolean {
  return nowMs > Date.parse(request.at) + (request.withinSeconds + STALE_ROOM_SECONDS) * 1000;
}

const STALE_ROOM_SECONDS = 5 * 60;
