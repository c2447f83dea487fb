/** Whether this site may run a system, by what the authority store and a guard say. Pure. */
import type { Generation } from './lease.ts';

export type Standing =
  | { readonly kind: 'active'; readonly n: number }
  | { readonly kind: 'elsewhere'; readonly n: number; readonly site: string; readonly cleared: boolean }
  /** It is this site's, but the sites before are not known to be fenced. */
  | { readonly kind: 'unclear'; readonly n: number }
  /** It is this site's, which has stopped for another that asked. */
  | { readonly kind: 'handed'; readonly n: number; readonly site: string }
  /** The system was never put on a site. */
  | { readonly kind: 'none' }
  /** Nobody knows. `last` is what this machine has believed before. */
  | { readonly kind: 'unreadable'; readonly why: string; readonly last?: Generation };

/**
 * By the newest generation that was read. `last` is the newest that this machine has ever believed: generations are never
 * removed, so that a store that shows less has been changed or is not the one that was meant, and is no answer.
 */
export function standingOf(newest: Generation | undefined, site: string, last: Generation | undefined): Standing {
  if (last !== undefined && (newest === undefined || newest.n < last.n)) {
    const shown = newest === undefined ? 'no generation' : `generation ${newest.n}`;
    return { kind: 'unreadable', why: `it shows ${shown}, and generation ${last.n} was read from it before`, last };
  }
  if (newest === undefined) return { kind: 'none' };
  if (newest.site !== site) {
    return { kind: 'elsewhere', n: newest.n, site: newest.site, cleared: newest.cleared };
  }
  if (!newest.cleared) return { kind: 'unclear', n: newest.n };
  const { n, handedTo } = newest;
  return handedTo === undefined ? { kind: 'active', n } : { kind: 'handed', n, site: handedTo };
}

/** Why nothing of the system may be started here, or undefined when it may. */
export function whyMayNotRun(standing: Standing): string | undefined {
  switch (standing.kind) {
    case 'active':
      return undefined;
    case 'elsewhere':
      return `generation ${standing.n} belongs to the site ${standing.site}`;
    case 'unclear':
      return `generation ${standing.n} is not cleared: the site before is not known to be fenced`;
    case 'handed':
      return `it was stopped for ${standing.site}, which asked for it as generation ${standing.n + 1}`;
    case 'none':
      return 'the authority store holds no generation: the system was never put on a site';
    case 'unreadable':
      return `nobody knows which site is active: ${standing.why}`;
  }
}

/** Under which generation a capture is made, with a warning where that is only believed, or why it is refused. */
export type CaptureStanding =
  | { readonly kind: 'go'; readonly generation: number; readonly warning?: string }
  | { readonly kind: 'refuse'; readonly why: string };

/**
 * A backup too many harms nobody, since its generation keeps it apart: where the store does not answer it is made under what
 * was believed last. A site that knows that another is active makes none.
 */
export function captureUnder(standing: Standing, site: string): CaptureStanding {
  if (standing.kind === 'active') return { kind: 'go', generation: standing.n };
  if (standing.kind !== 'unreadable') return { kind: 'refuse', why: whyMayNotRun(standing) ?? '' };
  const { last, why } = standing;
  if (last === undefined) return { kind: 'refuse', why: `nobody knows which site is active: ${why}` };
  const before = standingOf(last, site, undefined);
  if (before.kind !== 'active') return { kind: 'refuse', why: whyMayNotRun(before) ?? '' };
  const warning = `which site is active could not be read (${why}): made under generation ${last.n}, which was read last`;
  return { kind: 'go', generation: last.n, warning };
}
