/** A takeover is given up: whatever it has raised, or may still raise by a request that is on its way, goes to the site before. */
import { HoldfastError } from '../../failures.ts';
import type { Signer } from '../envelope.ts';
import { clearGeneration, newestGeneration, raiseGeneration, type Authority } from './generation.ts';
import type { ClearedBody } from './judge.ts';

export interface GiveBackOrder {
  /** The highest that the takeover may have tried to raise. */
  readonly n: number;
  /** Of the takeover: it has raised as this, or as this with `/` and a number. */
  readonly raiseId: string;
  readonly toSite: string;
  /** The generation of the site before. */
  readonly before: number;
}

export interface GivenBack {
  /** The generation that is in force now. */
  readonly n: number;
  readonly site: string;
  /**
   * `given-back`: one that was raised. `withheld`: none was, and its number is taken by the site before, so that a raise that
   * still comes loses. `theirs`: somebody else has raised since. `open`: none was, and its number could not be taken.
   */
  readonly did: 'given-back' | 'withheld' | 'theirs' | 'open';
  /** Of `open`. */
  readonly why?: string;
}

/**
 * The site before is active again, under a generation of its own, cleared, since the takeover never ran. Names are create-only:
 * what was not raised by now never is. A repeat finds its own. Throws as the store does, and Untrusted.
 */
export async function giveGenerationBack(
  from: Authority,
  order: GiveBackOrder,
  cleared: Pick<ClearedBody, 'fencing' | 'evidence'>,
  by: { readonly signer: Signer; readonly atMs: number },
): Promise<GivenBack> {
  const backId = `${order.raiseId}/back`.slice(-200);
  for (;;) {
    const newest = await newestGeneration(from);
    if (newest === undefined) throw new HoldfastError('ObjectMissing', 'the authority store holds no generation');
    const { n, site } = newest;
    if (newest.raiseId === backId) {
      await clearGeneration(from, newest, cleared, by);
      return { n, site, did: n === order.before + 1 ? 'withheld' : 'given-back' };
    }
    const ours = isRaisedBy(order.raiseId, newest.raiseId);
    if (!ours && n >= order.n) return { n, site, did: 'theirs' };
    try {
      // Its own backups all count: nothing was ever written here. What comes of it shows in what is newest then.
      const origin = { generation: order.before };
      await raiseGeneration(from, { n: n + 1, site: order.toSite, raiseId: backId, origin }, by);
    } catch (error) {
      if (ours || !(error instanceof HoldfastError) || error.waitingHelps) throw error;
      return { n, site, did: 'open', why: error.message };
    }
  }
}

function isRaisedBy(raiseId: string, of: string): boolean {
  return of === raiseId || (of.startsWith(`${raiseId}/`) && /^\d+$/.test(of.slice(raiseId.length + 1)));
}
