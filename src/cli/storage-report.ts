/** The facts of `storage`: each store by itself, with costs where there is a table of prices. */
import { HoldfastError } from '../failures.ts';
import { monthlyCost, priceOf, type PriceTable } from '../policy/prices.ts';
import { isArchived } from '../policy/thaw.ts';
import { openStore } from '../stores/index.ts';
import { loadPrices } from '../system/prices.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { StoreConfig, System } from '../system/types.ts';
import { readHead } from '../vault/head.ts';
import { planPrune } from '../vault/sweep/prune-plan.ts';
import { readTrustRoots } from '../vault/trust.ts';
import { OTHERS, readUsage, type Usage, type UsageRow } from '../vault/usage.ts';
import { tell, type ToldError } from '../observe/told.ts';
import { storeOf } from '../status/of-system.ts';

export interface StoreUsage extends Usage {
  readonly store: string;
  readonly rows: readonly (UsageRow & { readonly costPerMonth?: number })[];
  readonly objects: number;
  readonly bytes: number;
  /** Absent without a table, or when it has no price for a part of it. */
  readonly costPerMonth?: number;
  /** Plain bytes of all backups to unique plain bytes. */
  readonly dedupRatio?: number;
  /** Unique plain bytes to stored bytes. */
  readonly compressionRatio?: number;
  /** Plain bytes of all backups to stored bytes. */
  readonly ratio?: number;
  /** What no backup names: a prune frees it when it is old enough. */
  readonly prunableBytes: number;
  /** What the next prune would remove and free, as `prune --dry-run` tells. */
  readonly nextPrune?: { readonly backups: number; readonly objects: number; readonly bytes: number };
}

export interface StorageReport {
  readonly system: string;
  readonly currency?: string;
  readonly stores: readonly StoreUsage[];
  readonly unread: readonly { readonly store: string; readonly error: ToldError }[];
}

/** Throws BadInput for a store the system does not have, and for a table of prices that is none. */
export async function storageReport(system: System, only: string | undefined): Promise<StorageReport> {
  const chosen = only === undefined ? system.stores : [storeOf(system, only)];
  const prices = await loadPrices(system);
  const identities = await identitiesHere(system);
  const stores: StoreUsage[] = [];
  const unread: { store: string; error: ToldError }[] = [];
  for (const config of chosen) {
    try {
      stores.push(await storeUsage(system, config, identities, prices));
    } catch (error) {
      unread.push({ store: config.name, error: tell(error) });
    }
  }
  return { system: system.name, ...(prices === undefined ? {} : { currency: prices.currency }), stores, unread };
}

/** A host without an identity, or without the file of one, counts everything but what is unique. */
async function identitiesHere({ keys }: System): Promise<string[] | undefined> {
  if (keys.identity === undefined) return undefined;
  try {
    const text = await resolveSecret(keys.identity);
    return text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'));
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'SecretMissing') return undefined;
    throw error;
  }
}

async function storeUsage(
  system: System,
  config: StoreConfig,
  identities: string[] | undefined,
  prices: PriceTable | undefined,
): Promise<StoreUsage> {
  const store = await openStore(config, resolveSecret);
  try {
    const { vaultId } = await readHead(store, system.name);
    const roots = await readTrustRoots(store, vaultId, system.keys.rootFingerprint);
    const signal = new AbortController().signal;
    const from = { store, vaultId, roots };
    // What is frozen can't be opened.
    const usage = await readUsage({ ...from, signal }, isArchived(config) ? undefined : identities);
    const plan = await planPrune(from, { system, storeName: config.name, nowMs: Date.now(), signal });
    const nextPrune = { backups: plan.removes.length, ...plan.frees };
    return { ...usageOf(config, usage, prices), nextPrune };
  } finally {
    await store.close();
  }
}

export function usageOf(config: StoreConfig, usage: Usage, prices: PriceTable | undefined): StoreUsage {
  const rows = usage.rows.map((row) => ({ ...row, ...costOf(config, row, prices) }));
  const known = rows.flatMap(({ costPerMonth }) => (costPerMonth === undefined ? [] : [costPerMonth]));
  const { plainBytes, uniquePlainBytes: unique, storedBytes } = usage;
  const prunable = rows.filter(({ of }) => of === OTHERS.unnamed);
  return {
    store: config.name,
    ...usage,
    rows,
    objects: rows.reduce((sum, { objects }) => sum + objects, 0),
    bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0),
    ...(prices === undefined || known.length < rows.length
      ? {}
      : { costPerMonth: known.reduce((sum, cost) => sum + cost, 0) }),
    ...ratios(plainBytes, unique, storedBytes),
    prunableBytes: prunable.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function ratios(plain: number, unique: number | undefined, stored: number) {
  if (stored === 0) return {};
  if (unique === undefined || unique === 0) return { ratio: plain / stored };
  return { ratio: plain / stored, dedupRatio: plain / unique, compressionRatio: unique / stored };
}

function costOf(config: StoreConfig, row: UsageRow, prices: PriceTable | undefined): { costPerMonth?: number } {
  if (prices === undefined) return {};
  const region = 'region' in config ? config.region : config.place;
  const price = priceOf(prices, { kind: config.kind, store: config.name, class: row.class, region });
  return price === undefined ? {} : { costPerMonth: monthlyCost(price, row.bytes) };
}
