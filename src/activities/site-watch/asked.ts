/** Is this site active, and does another ask it to stop? */
import { latestHandover } from '../../vault/sites/handover.ts';
import type { SiteLook } from './look.ts';

/** What is answered already is no news; whether it may be answered otherwise is for the one who does. */
export function lookForAsking(): SiteLook {
  return async ({ system, authority, newest }) => {
    if (authority === undefined || newest?.site !== system.site || newest.cleared === undefined) return [];
    const handover = await latestHandover(authority, newest.n + 1);
    if (handover === undefined || handover.answer !== undefined) return [];
    const { n, attempt, site } = handover.request;
    return [{ kind: 'asked', mark: `asked ${n}/${attempt}`, n, attempt, site }];
  };
}
