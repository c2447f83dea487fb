/** Whether what a restore kept of the state before it may go. Pure. */
import type { TroubleSeen } from './host-look.ts';
import { spell } from './retention-evidence.ts';

export interface AsideFacts {
  readonly sinceMs: number;
  /** False: its restore has not come to the end of its commit. */
  readonly committed: boolean;
  /** Containers, in any state, that have it mounted. */
  readonly usedBy: readonly string[];
  /** What took its place is there: without it this is the only state on the host. */
  readonly liveExists: boolean;
}

export type AsideDecision = { readonly goes: true } | { readonly goes: false; readonly why: string };

/** `keepSeconds` is the system's `keepAside`; with 0 a person has said that it may go now. */
export function judgeAside(
  { sinceMs, committed, usedBy, liveExists }: AsideFacts,
  { nowMs, keepSeconds }: { readonly nowMs: number; readonly keepSeconds: number },
): AsideDecision {
  if (!committed) return stays('its restore is not committed');
  if (usedBy.length > 0) return stays(`it belongs to ${usedBy.join(', ')}`);
  if (!liveExists) return stays('nothing is in its place: it is the only state on this host');
  if (keepSeconds > 0 && nowMs - sinceMs < keepSeconds * 1000) return stays(`kept for ${spell(keepSeconds)}`);
  return { goes: true };
}

function stays(why: string): AsideDecision {
  return { goes: false, why };
}

/** So long after its time something is still to go by itself, with a run that comes once a week. */
const GRACE_SECONDS = 7 * 86_400;

/** Undefined while all of it may still go by itself. `kept` is of one component. */
export function overdueAside(
  component: string,
  kept: readonly (Omit<AsideFacts, 'liveExists'> & { readonly place: string })[],
  of: { readonly system: string; readonly nowMs: number; readonly keepSeconds: number },
): TroubleSeen | undefined {
  const old = kept.filter(({ sinceMs }) => of.nowMs - sinceMs > (of.keepSeconds + GRACE_SECONDS) * 1000);
  if (old.length === 0) return undefined;
  const each = old.map((one) => {
    const decision = judgeAside({ ...one, liveExists: true }, of);
    const why = decision.goes ? '' : ` (${decision.why})`;
    return `${one.place} since ${new Date(one.sinceMs).toISOString()}${why}`;
  });
  return {
    subject: component,
    what: `${component}: kept aside by a restore for longer than keepAside (${spell(of.keepSeconds)}): ${each.join('; ')}`,
    hint: `Remove it on its host: holdfast aside ${of.system} ${component} --remove`,
  };
}
