/** Is this site active, and does another ask it to stop? Or was it stopped for another one, and nobody sees to that any more? */
import { readHanded, removeHanded } from '../../sites/handed-file.ts';
import type { System } from '../../system/types.ts';
import type { GenerationRecord } from '../../vault/sites/generation.ts';
import { latestHandover } from '../../vault/sites/handover.ts';
import type { AskedNews } from '../site-watch-types.ts';
import type { SiteLook } from './look.ts';

/** A run of the workflow `handover` sees to each of these: while one does, another is not begun. */
export function lookForAsking(): SiteLook {
  return async ({ system, authority, newest }) => {
    if (authority === undefined || newest?.site !== system.site) return [];
    const handover = await latestHandover(authority, newest.n + 1);
    const { request, answer } = handover ?? {};
    if (request !== undefined && newest.cleared !== undefined) {
      if (answer === undefined) return [newsOf('asked', request)];
      if (answer.outcome === 'stopped') return [newsOf('stopped', request)];
    }
    return leftStopped(system, newest);
  };
}

async function leftStopped(system: System, newest: GenerationRecord): Promise<AskedNews[]> {
  const handed = await readHanded(system.name);
  if (handed === undefined) return [];
  // Another site has run it since, and a restore has brought it back: what was stopped then is of the past.
  if (newest.n > handed.n && !newest.raiseId.endsWith('/back')) {
    await removeHanded(system.name);
    return [];
  }
  return [newsOf(`left by generation ${newest.n}`, { ...handed, site: newest.site })];
}

function newsOf(what: string, { n, attempt, site }: Pick<AskedNews, 'n' | 'attempt' | 'site'>): AskedNews {
  return { kind: 'asked', mark: `${what} ${n}/${attempt}`, n, attempt, site };
}
