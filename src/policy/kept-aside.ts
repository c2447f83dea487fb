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

interface LyingHere {
  readonly kept: readonly (Omit<AsideFacts, 'liveExists'> & { readonly place: string })[];
  /** That have begun to make something, and whose traces nobody has cleared. */
  readonly runs?: readonly { readonly id: string; readonly sinceMs: number }[];
}

/** Undefined while all of it may still go by itself. What lies here is of one component. */
export function overdueAside(
  component: string,
  { kept, runs = [] }: LyingHere,
  of: { readonly system: string; readonly nowMs: number; readonly keepSeconds: number },
): TroubleSeen | undefined {
  const isOld = ({ sinceMs }: { sinceMs: number }): boolean =>
    of.nowMs - sinceMs > (of.keepSeconds + GRACE_SECONDS) * 1000;
  const each = kept.filter(isOld).map((one) => {
    const decision = judgeAside({ ...one, liveExists: true }, of);
    const why = decision.goes ? '' : ` (${decision.why})`;
    return `${one.place} since ${rfc3339(one)}${why}`;
  });
  const left = runs.filter(isOld).map((one) => `${one.id} since ${rfc3339(one)}`);
  const what = [
    ...(each.length === 0
      ? []
      : [`kept aside by a restore for longer than keepAside (${spell(of.keepSeconds)}): ${each.join('; ')}`]),
    ...(left.length === 0 ? [] : [`begun by a run, and neither taken into use nor cleared away: ${left.join('; ')}`]),
  ];
  if (what.length === 0) return undefined;
  const hints = [
    ...(each.length === 0 ? [] : [`Remove it on its host: holdfast aside ${of.system} ${component} --remove`]),
    ...(left.length === 0
      ? []
      : ['A backup of the component clears what a run has left, or says in the log of its worker why it can not']),
  ];
  return { subject: component, what: `${component}: ${what.join('; ')}`, hint: hints.join('. ') };
}

function rfc3339({ sinceMs }: { readonly sinceMs: number }): string {
  return new Date(sinceMs).toISOString();
}
