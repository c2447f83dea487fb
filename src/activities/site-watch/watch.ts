/** Looks at the authority store for as long as one turn lasts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { tell } from '../../observe/told.ts';
import { openAuthority } from '../../sites/authority.ts';
import { raced } from '../../sites/raced.ts';
import type { System } from '../../system/types.ts';
import { newestGeneration, type Authority } from '../../vault/sites/generation.ts';
import type { HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';
import type { SiteNews, SiteWatchActivities } from '../site-watch-types.ts';
import { letGoOfLeft } from '../holds-left.ts';
import { lookForAsking } from './asked.ts';
import type { SiteLook, SiteSeen } from './look.ts';
import { lookForSilence } from './silence.ts';

const LOOKS: readonly (() => SiteLook)[] = [lookForAsking, lookForSilence, letGoOfLeft];

/** A store that is there answers at once. */
const ANSWER_MS = 10_000;

export async function watchSites(
  context: HostContext,
  { system: name, forSeconds, known }: Parameters<SiteWatchActivities['watchSites']>[0],
  run: Run,
): ReturnType<SiteWatchActivities['watchSites']> {
  const looks = LOOKS.map((look) => look());
  const until = performance.now() + forSeconds * 1000;
  await using book = new Book();
  for (;;) {
    // As the file is now: what it says may have changed since the turn began.
    const system = await context.system(name);
    const { failover } = system;
    if (failover === undefined) return { news: [] };
    const seen = { context, system, ...(await book.read(system, run.signal)) };
    const news = await lookedBy(looks, seen, run);
    const unknown = news.filter(({ mark }) => !known.includes(mark));
    if (unknown.length > 0 || performance.now() > until) return { news: unknown };
    run.report({ phase: seen.why ?? `generation ${seen.newest?.n ?? 0} is at ${seen.newest?.site ?? 'no site'}` });
    await sleep(failover.handover.lookSeconds * 1000, undefined, { signal: run.signal });
  }
}

/** One that fails keeps none of the others from looking. */
async function lookedBy(looks: readonly SiteLook[], seen: SiteSeen, run: Run): Promise<SiteNews[]> {
  const news: SiteNews[] = [];
  for (const look of looks) {
    try {
      news.push(...(await look(seen, run)));
    } catch (error) {
      run.signal.throwIfAborted();
      run.log.warn({ err: error, system: seen.system.name }, 'what the other sites do could not be looked at');
    }
  }
  return news;
}

/** The authority store, kept open between looks; opened anew after it has failed, and when the file says another. */
class Book implements AsyncDisposable {
  private opened: { readonly authority: Authority; readonly text: string } | undefined;

  async read(
    system: System,
    signal: AbortSignal,
  ): Promise<Pick<SiteSeen, 'authority' | 'newest'> & { readonly why?: string }> {
    const limit = AbortSignal.timeout(ANSWER_MS);
    try {
      return await raced(this.newest(system), AbortSignal.any([signal, limit]));
    } catch (error) {
      signal.throwIfAborted();
      await this[Symbol.asyncDispose]();
      const words = limit.aborted ? `no answer within ${ANSWER_MS / 1000} s` : tell(error).message;
      return { authority: undefined, newest: undefined, why: `the authority store does not answer: ${words}` };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const last = this.opened;
    this.opened = undefined;
    // It is not used any more, whether it closes well or not.
    await last?.authority.store.close().catch(() => undefined);
  }

  private async newest(system: System): Promise<Pick<SiteSeen, 'authority' | 'newest'>> {
    if (this.opened?.text !== system.sourceText) {
      await this[Symbol.asyncDispose]();
      this.opened = { authority: await openAuthority(system), text: system.sourceText };
    }
    const { authority } = this.opened;
    return { authority, newest: await newestGeneration(authority) };
  }
}
