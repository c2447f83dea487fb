/** The authority store as a guard believes it: generations are never removed, so that one that shows less is no answer. */
import { HoldfastError } from '../failures.ts';
import { log } from '../observe/log.ts';
import { standingOf } from '../policy/failover/standing.ts';
import { readBelieved, rememberBelieved } from './site-files.ts';
import type { LeaseBook } from './site-guard.ts';

/** What it reads is remembered on this machine; a store that shows less than was read before throws Untrusted. */
export function believedBook<B extends LeaseBook>(book: B, { name, site }: { name: string; site: string }): B {
  return {
    ...book,
    async newest() {
      const newest = await book.newest();
      const standing = standingOf(newest, site, await readBelieved(name));
      if (standing.kind === 'unreadable') throw new HoldfastError('Untrusted', `the authority store: ${standing.why}`);
      if (newest === undefined) return undefined;
      // A disk that is full must not end a lease.
      await rememberBelieved(name, newest).catch((error: unknown) => {
        log('site-guard').warn({ err: error, system: name }, 'the newest generation could not be remembered');
      });
      return newest;
    },
  };
}
