/** What the stores of a system hold for a restore of all of it, and what is asked of it. */
import { HoldfastError } from '../failures.ts';
import { CLOCK_TOLERANCE_MS } from '../policy/freshness.ts';
import { isArchived } from '../policy/thaw.ts';
import { damageOf, offers, type Candidate, type WantedComponent } from '../policy/whole-system.ts';
import type { Component, PostgresComponent, System } from '../system/types.ts';
import type { CatalogueEntry, ManifestBody } from '../vault/types.ts';
import type { HostContext } from './host-context.ts';
import { storeOf } from './maintained.ts';

export interface Stock {
  /** In the order of the stores, each store's newest first. */
  readonly candidates: readonly Candidate[];
  /** One sentence for each store that could not be asked. */
  readonly silent: readonly string[];
  /** Throws BackupMissing for one that is gone. */
  bodyOf(source: { readonly store: string; readonly manifestKey: string; readonly backup: string }): ManifestBody;
}

/** Throws what the first store says when none can be asked. */
export async function readStock(
  context: HostContext,
  system: System,
  asked: { readonly store?: string; readonly plan?: string; readonly apart?: boolean },
  { nowMs, signal }: { readonly nowMs: number; readonly signal: AbortSignal },
): Promise<Stock> {
  const stores = asked.store === undefined ? system.stores.map(({ name }) => name) : [asked.store];
  const filter = { signal, isBrief: stores.length > 1, ...(asked.plan === undefined ? {} : { plan: asked.plan }) };
  const read = await Promise.allSettled(stores.map((store) => context.catalogue(system, store, filter)));
  signal.throwIfAborted();
  const silent: string[] = [];
  const entries: { readonly store: string; readonly entry: CatalogueEntry }[] = [];
  let trouble: unknown;
  for (const [index, outcome] of read.entries()) {
    const store = stores[index] ?? '';
    if (outcome.status === 'fulfilled') entries.push(...outcome.value.map((entry) => ({ store, entry })));
    else {
      trouble ??= outcome.reason;
      silent.push(`store ${store} can not be asked: ${wordsOf(outcome.reason)}`);
    }
  }
  if (silent.length === stores.length && trouble instanceof Error) throw trouble;
  return {
    candidates: entries
      .filter(({ entry }) => entry.body.purpose === 'backup')
      .map(({ store, entry }) => candidateOf(system, store, entry, { nowMs, alsoApart: asked.apart === true })),
    silent,
    bodyOf: ({ store, manifestKey, backup }) => {
      const found = entries.find((one) => one.store === store && one.entry.key === manifestKey);
      if (found === undefined) throw new HoldfastError('BackupMissing', `backup ${backup} is not in ${store} any more`);
      return found.entry.body;
    },
  };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function candidateOf(
  system: System,
  store: string,
  { key, body, trust, proofs, apart }: CatalogueEntry,
  { nowMs, alsoApart }: { readonly nowMs: number; readonly alsoApart: boolean },
): Candidate {
  const early =
    Date.parse(body.pointAt) > nowMs + CLOCK_TOLERANCE_MS ? 'it is from the future: check the clocks' : undefined;
  const unusable = trust.ok ? (damageOf(proofs) ?? (alsoApart ? undefined : apart) ?? early) : trust.why;
  return {
    store,
    manifestKey: key,
    backup: body.id,
    plan: body.plan,
    pointAt: body.pointAt,
    generation: body.generation,
    // Some tables of a database never replace the database.
    components: body.components.filter(({ facts }) => !isSome(facts['selectedTables'])).map(({ name }) => name),
    ...(unusable === undefined ? {} : { unusable }),
    ...(isArchived(storeOf(system, store)) ? { archived: true as const } : {}),
  };
}

function isSome(tables: unknown): boolean {
  return Array.isArray(tables) && tables.length > 0;
}

export function wantedOf(system: System, components: readonly Component[]): WantedComponent[] {
  return components.map(({ name, tier }) => {
    const plans = system.plans.filter((plan) => plan.components.includes(name));
    const limits = plans.flatMap(({ rpoSeconds }) => (rpoSeconds === undefined ? [] : [rpoSeconds]));
    const rpo = limits.length === 0 ? {} : { rpoSeconds: Math.min(...limits) };
    return { name, tier, plans: plans.map((plan) => plan.name), ...rpo };
  });
}

/**
 * A server's whole cluster and a dump of its databases can't both be restored: the cluster is, when it can be exchanged
 * and has a usable backup, because its log leads further; otherwise the dump.
 */
export function rivalsOf(
  components: readonly Component[],
  candidates: readonly Candidate[],
): { readonly components: readonly Component[]; readonly notes: readonly string[] } {
  const isUsable = ({ name }: Component): boolean => candidates.some((candidate) => offers(candidate, name));
  const databases = components.filter((component) => component.kind === 'postgres');
  const notes: string[] = [];
  const out = new Set<string>();
  for (const cluster of databases.filter(({ method }) => method === 'base')) {
    const dumps = databases.filter((other) => other.method === 'dump' && serverOf(other) === serverOf(cluster));
    if (dumps.length === 0) continue;
    const exchangeable = cluster.method === 'base' && cluster.dataDirectory !== undefined;
    const names = dumps.map(({ name }) => name).join(', ');
    if ((exchangeable && isUsable(cluster)) || !dumps.some(isUsable)) {
      for (const { name } of dumps) out.add(name);
      notes.push(`${names}: comes back with the whole cluster of its server, ${cluster.name}`);
    } else {
      out.add(cluster.name);
      const why = exchangeable ? 'it has no usable backup' : 'it has no `dataDirectory` to exchange';
      notes.push(`${cluster.name}: is not restored (${why}); its databases come back from ${names}`);
    }
  }
  return { components: components.filter(({ name }) => !out.has(name)), notes };
}

function serverOf({ server: { address, port, tools }, host }: PostgresComponent): string {
  return JSON.stringify([host, tools.kind === 'host' ? (address ?? '127.0.0.1') : tools, port]);
}
