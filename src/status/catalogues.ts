/** Backups of a system as its stores tell of them: no engine and no identity are needed. */
import { withApart } from '../sites/apart.ts';
import type { System } from '../system/types.ts';
import { readCatalogue } from '../vault/catalogue.ts';
import { CatalogueMemory } from '../vault/catalogue-memory.ts';
import type { CatalogueEntry, ProofBody } from '../vault/index.ts';
import { readingVault } from '../vault/maintained.ts';
import { answeredInTime, storeQuestion } from './asked-once.ts';
import { vaultAge, type VaultAge } from './brief.ts';
import { storeOf } from './of-system.ts';
import { provedAt } from './seen.ts';
import { askStores, type UnreadStore } from './store-answers.ts';

/** One backup, with the stores that hold it. */
export interface KnownBackup {
  readonly entry: CatalogueEntry;
  readonly stores: readonly string[];
  /** When its manifest came into each, by the store's own clock. */
  readonly storedAt?: readonly { readonly store: string; readonly atMs: number }[];
  /** The newest verdict in each of them that has one; a verdict is about the place where the bytes lie. */
  readonly verdicts: readonly {
    readonly store: string;
    readonly proof: ProofBody;
    /** When it was last read back in full, or restored, and found good there. */
    readonly provedAt?: string;
  }[];
}

export interface Catalogues {
  /** Newest first. */
  readonly backups: readonly KnownBackup[];
  /** Stores that could not be read; the others still count. */
  readonly unread: readonly UnreadStore[];
  /** When each vault that could be read was made. */
  readonly vaults: readonly VaultAge[];
}

/** What was read before, by store. */
export type CatalogueMemories = Map<string, CatalogueMemory>;

interface Chosen {
  readonly store?: string | undefined;
  readonly plan?: string | undefined;
  /** For who looks again and again. */
  readonly memories?: CatalogueMemories | undefined;
  /** A store that has not answered by then counts as one that can't be read. */
  readonly limitMs?: number | undefined;
}

/** Throws BadInput for a store the system does not have, and when no store could be read. */
export async function readCatalogues(system: System, options: Chosen): Promise<Catalogues> {
  const { failure, ...known } = await lookAtCatalogues(system, options);
  if (failure !== undefined) throw failure;
  return known;
}

/** As `readCatalogues`, but not being able to read any store is told like one that can't be; `failure` is then the first. */
export async function lookAtCatalogues(
  system: System,
  options: Chosen,
): Promise<Catalogues & { readonly failure?: Error }> {
  const chosen = options.store === undefined ? system.stores : [storeOf(system, options.store)];
  const { answers, unread, failures } = await askStores(chosen, (config) => {
    const { limitMs } = options;
    const read = () => readStore(system, config, options);
    return limitMs === undefined ? read() : answeredInTime(storeQuestion(system, config), limitMs, read);
  });
  const byId = new Map<string, KnownBackup>();
  for (const { store, value } of answers) {
    for (const entry of value.entries) {
      // The same id with other bytes is another thing, and must be seen.
      const name = `${entry.key} ${entry.sha256}`;
      const proof = newestProof(entry);
      const proved = provedAt(entry.proofs);
      const verdicts =
        proof === undefined ? [] : [{ store, proof, ...(proved === undefined ? {} : { provedAt: proved }) }];
      const known = byId.get(name);
      const storedAt = entry.storedAtMs === undefined ? [] : [{ store, atMs: entry.storedAtMs }];
      byId.set(
        name,
        known === undefined
          ? { entry, stores: [store], storedAt, verdicts }
          : {
              entry: merged(known.entry, entry),
              stores: [...known.stores, store],
              storedAt: [...(known.storedAt ?? []), ...storedAt],
              verdicts: [...known.verdicts, ...verdicts],
            },
      );
    }
  }
  const backups = [...byId.values()].toSorted(
    (a, b) => Date.parse(b.entry.body.startedAt) - Date.parse(a.entry.body.startedAt),
  );
  const vaults = answers.flatMap(({ store, value }) => vaultAge(store, value.createdAtMs));
  if (answers.length > 0 || failures.length === 0) return { backups, unread, vaults };
  const [failure] = failures;
  return { backups, unread, vaults, failure: failure instanceof Error ? failure : new Error(String(failure)) };
}

/** A store that was given a part of the backups notes gaps in the chain that another one fills. */
function merged(a: CatalogueEntry, b: CatalogueEntry): CatalogueEntry {
  const notes = a.notes?.filter((note) => b.notes?.includes(note) === true) ?? [];
  const { key, body, sha256, trust, apart } = a;
  return {
    key,
    body,
    sha256,
    trust,
    ...(apart === undefined ? {} : { apart }),
    ...(notes.length === 0 ? {} : { notes }),
    proofs: [...a.proofs, ...b.proofs].toSorted((x, y) => Date.parse(x.at) - Date.parse(y.at)),
  };
}

function readStore(
  system: System,
  config: System['stores'][number],
  { plan, memories }: Chosen,
): Promise<{ createdAtMs: number | undefined; entries: CatalogueEntry[] }> {
  return readingVault(system, config, async (from) => ({
    createdAtMs: from.createdAtMs,
    entries: await withApart(
      system,
      await readCatalogue(from, { plan, memory: memoryOf(memories, config.name) }),
      undefined,
    ),
  }));
}

function memoryOf(memories: CatalogueMemories | undefined, store: string): CatalogueMemory | undefined {
  const memory = memories?.get(store) ?? new CatalogueMemory();
  memories?.set(store, memory);
  return memories === undefined ? undefined : memory;
}

/** The newest verdict there is; of those in several stores a good one, because one good copy is enough to restore. */
export function bestVerdict({ verdicts, entry }: KnownBackup): ProofBody | undefined {
  const good = verdicts
    .filter(({ proof }) => proof.ok)
    .toSorted((a, b) => Date.parse(a.proof.at) - Date.parse(b.proof.at));
  return good.at(-1)?.proof ?? newestProof(entry);
}

/** The newest verdict there is. */
export function newestProof(entry: CatalogueEntry): ProofBody | undefined {
  return entry.proofs.at(-1);
}
