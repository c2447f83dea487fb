/** Whether what a restore kept of the state before it may go. Pure. */
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
