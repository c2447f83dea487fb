/** What a site can know before it takes a system over: who is active, which backups it reaches, what it lacks. */
import { HoldfastError } from '../../failures.ts';
import { tell } from '../../observe/told.ts';
import type { CopyHere } from '../../policy/failover/decide.ts';
import { chooseCopy } from '../../policy/failover/decide.ts';
import { CLOCK_TOLERANCE_MS } from '../../policy/freshness.ts';
import { damageOf } from '../../policy/whole-system.ts';
import { originsOf } from '../../sites/apart.ts';
import { siteSigner, withAuthority } from '../../sites/authority.ts';
import type { System } from '../../system/index.ts';
import { readGenerations, requireBelieved, type Authority } from '../../vault/sites/generation.ts';
import type { CatalogueEntry } from '../../vault/types.ts';
import type { FailoverActivities, FailoverGathered } from '../failover-types.ts';
import type { HostContext } from '../host-context.ts';
import { whatIsLacking } from '../lacking.ts';
import type { Run } from '../shell.ts';

/** They go through a history. */
const COPIES = 200;
const LEVELS = ['presence', 'content', 'restored'] as const;

export async function gatherFailover(
  context: HostContext,
  { system: name, backup }: Parameters<FailoverActivities['gatherFailover']>[0],
  run: Run,
): Promise<FailoverGathered> {
  const system = await context.system(name);
  run.report({ phase: 'who is active' });
  const { disbelieved, ...active } = await activeSite(system, run.signal);
  run.report({ phase: 'read the catalogues' });
  const { copies, storesUnread } = await copiesHere(context, system, backup, run.signal);
  run.report({ phase: 'what is lacking here' });
  const notReady = await whatIsLacking(context, system, run.signal);
  return {
    ...active,
    copies: newestOf(copies, active),
    storesUnread,
    notReady: [...notReady, ...disbelieved, ...(backup === undefined ? [] : namedButMissing(copies, backup))],
  };
}

type Active = Pick<FailoverGathered, 'generation' | 'generations'>;

/** A generation that can't be believed is one that can't be read: nobody knows who is active. */
async function activeSite(system: System, signal: AbortSignal): Promise<Active & { disbelieved: string[] }> {
  try {
    return await withAuthority(system, async (authority) => {
      const records = await readGenerations(authority);
      const disbelieved = await ownKeyTrouble(system, authority);
      const generations = originsOf(records);
      const newest = records.at(-1);
      if (newest === undefined) return { generation: undefined, generations, disbelieved };
      const { n, site, cleared } = newest;
      return { generation: { n, site, cleared: cleared !== undefined }, generations, disbelieved };
    });
  } catch (error) {
    signal.throwIfAborted();
    return { generation: { unreadable: wordsOf(error) }, generations: [], disbelieved: [] };
  }
}

/** Found now rather than when the generation is to be raised. What keeps the key from being read is told elsewhere. */
async function ownKeyTrouble(system: System, authority: Authority): Promise<string[]> {
  try {
    requireBelieved(authority, await siteSigner(system), Date.now());
    return [];
  } catch (error) {
    return error instanceof HoldfastError && error.code === 'Untrusted' ? [error.message] : [];
  }
}

async function copiesHere(
  context: HostContext,
  system: System,
  backup: string | undefined,
  signal: AbortSignal,
): Promise<{ copies: CopyHere[]; storesUnread: string[] }> {
  const stores = system.stores.map(({ name }) => name);
  const read = await Promise.allSettled(
    stores.map((store) => context.catalogue(system, store, { signal, isBrief: true })),
  );
  signal.throwIfAborted();
  const copies: CopyHere[] = [];
  const storesUnread: string[] = [];
  for (const [index, outcome] of read.entries()) {
    const store = stores[index] ?? '';
    if (outcome.status === 'rejected') storesUnread.push(`${store} (${wordsOf(outcome.reason)})`);
    else {
      const mine = outcome.value.filter((entry) => entry.body.purpose === 'backup' && suits(entry, backup));
      copies.push(...mine.map((entry) => copyOf(system, store, entry)));
    }
  }
  return { copies, storesUnread };
}

function suits({ body }: CatalogueEntry, backup: string | undefined): boolean {
  if (backup === undefined) return true;
  if (!backup.startsWith('before:')) return body.id.startsWith(backup);
  const beforeMs = Date.parse(backup.slice('before:'.length));
  if (Number.isNaN(beforeMs)) {
    throw new HoldfastError('BadInput', `"${backup}" is not before: and an RFC 3339 time such as 2026-11-21T02:00:00Z`);
  }
  return Date.parse(body.pointAt) < beforeMs;
}

function copyOf(system: System, store: string, { body, trust, proofs }: CatalogueEntry): CopyHere {
  const pointAtMs = Date.parse(body.pointAt);
  const early = pointAtMs > Date.now() + CLOCK_TOLERANCE_MS ? 'it is from the future: check the clocks' : undefined;
  const unusable = trust.ok ? (damageOf(proofs) ?? early ?? lacks(system, body)) : trust.why;
  const proved = LEVELS.findLast((level) => proofs.some((proof) => proof.ok && proof.level === level));
  return {
    backup: body.id,
    store,
    generation: body.generation,
    pointAtMs,
    ...(unusable === undefined ? {} : { unusable }),
    ...(proved === undefined ? {} : { proved }),
  };
}

/** A backup counts by what the system can't be without: all of it, or of a plan that captures a part of it each. */
function lacks({ components, plans }: System, body: CatalogueEntry['body']): string | undefined {
  const critical = components.filter(({ tier }) => tier === 'critical').map(({ name }) => name);
  const needed = critical.length === 0 ? components.map(({ name }) => name) : critical;
  const has = new Set(body.components.map(({ name }) => name));
  const together = plans.some((plan) => needed.every((name) => plan.components.includes(name)));
  const missing = needed.filter((name) => !has.has(name));
  const enough = together ? missing.length === 0 : missing.length < needed.length;
  return enough ? undefined : `it does not hold ${missing.join(', ')}`;
}

/** The newest, and with them the one that will be chosen, however old. */
function newestOf(copies: readonly CopyHere[], { generation, generations }: Active): CopyHere[] {
  const sorted = copies.toSorted((one, other) => other.pointAtMs - one.pointAtMs);
  const kept = sorted.slice(0, COPIES);
  const known = generation === undefined || 'unreadable' in generation ? undefined : generation;
  const { copy } = chooseCopy({ generation: known, generations, copies: sorted });
  return copy === undefined || kept.includes(copy) ? kept : [...kept, copy];
}

function namedButMissing(copies: readonly CopyHere[], backup: string): string[] {
  return copies.length > 0 ? [] : [`no store that can be read holds a backup ${backup}`];
}

function wordsOf(error: unknown): string {
  return tell(error).message;
}
