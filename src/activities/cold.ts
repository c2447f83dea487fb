/** Backups in an archive class: what a restore would have to thaw, and thawing it. */
import { formatMoney, priceOf, thawCost } from '../policy/prices.ts';
import { isArchived, THAWED_DAYS, thawHours, USUAL_SPEED, type ThawSpeed } from '../policy/thaw.ts';
import { openStore, type Store } from '../stores/index.ts';
import { loadPrices } from '../system/prices.ts';
import { resolveSecret, type StoreConfig, type System } from '../system/index.ts';
import { readOneEntry } from '../vault/catalogue.ts';
import { lookAtCold, thawAll, type ColdObjects } from '../vault/cold.ts';
import { readHead } from '../vault/head.ts';
import { artifactsOf } from '../vault/manifest.ts';
import { readTrustRoots } from '../vault/trust.ts';
import type { ArtifactRef, ManifestBody } from '../vault/types.ts';
import type { FrozenFacts, RestoreInput } from '../workflows/contract.ts';
import type { HostContext } from './host-context.ts';
import { storeOf } from './maintained.ts';
import type { Run } from './shell.ts';
import type { HostActivities } from './types.ts';

type ThawInput = Parameters<HostActivities['thawBackup']>[0];

/** What has to be thawed before these components can be read; undefined when nothing has. */
export async function frozenOf(
  system: System,
  storeName: string,
  body: ManifestBody,
  asked: { readonly components: readonly string[]; readonly thaw?: RestoreInput['thaw'] },
  run: Run,
): Promise<FrozenFacts | undefined> {
  const config = storeOf(system, storeName);
  if (!isArchived(config)) return undefined;
  const found = await withStore(config, (store) =>
    lookAtCold(store, artifactsIn(body, asked.components), {
      signal: run.signal,
      onProgress: (done, total) => run.report({ phase: `what is frozen: ${done} of ${total} objects` }),
    }),
  );
  if (found === undefined || found.frozen + found.thawing === 0) return undefined;
  return factsOf(system, config, found, asked.thaw ?? USUAL_SPEED);
}

async function factsOf(
  system: System,
  config: StoreConfig,
  found: ColdObjects,
  speed: ThawSpeed,
): Promise<FrozenFacts> {
  const storageClass = 'storageClass' in config ? config.storageClass : undefined;
  const hours = thawHours(config.kind, storageClass, speed);
  return {
    objects: found.frozen + found.thawing,
    bytes: found.notReadyBytes,
    storageClass: storageClass ?? '',
    speed,
    ...(hours === undefined ? {} : { hoursLeast: hours.least, hoursMost: hours.most }),
    ...(await costOf(system, config, found, speed)),
  };
}

async function costOf(
  system: System,
  config: StoreConfig,
  { frozen, notReadyBytes }: ColdObjects,
  speed: ThawSpeed,
): Promise<{ cost?: string }> {
  const prices = await loadPrices(system);
  if (prices === undefined) return {};
  const storageClass = 'storageClass' in config ? config.storageClass : undefined;
  const region = 'region' in config ? config.region : config.place;
  const row = priceOf(prices, { kind: config.kind, store: config.name, class: storageClass, region });
  const cost = row === undefined ? undefined : thawCost(row, speed, { bytes: notReadyBytes, objects: frozen });
  return cost === undefined ? {} : { cost: formatMoney(cost, prices.currency) };
}

/** Asks for what is still frozen and says how much is not readable yet. A repeat asks only for the rest. */
export async function thawBackup(
  context: HostContext,
  input: ThawInput,
  run: Run,
): Promise<{ left: number; bytes: number }> {
  const system = await context.system(input.system);
  const { manifestKey, components, speed } = input;
  return withStore(storeOf(system, input.store), async (store) => {
    const { vaultId } = await readHead(store, system.name);
    const roots = await readTrustRoots(store, vaultId, system.keys.rootFingerprint);
    const { body } = await readOneEntry({ store, vaultId, roots }, manifestKey);
    const found = await thawAll(
      store,
      artifactsIn(body, components),
      { days: THAWED_DAYS, speed },
      {
        signal: run.signal,
        onProgress: (done, total) => run.report({ phase: `thaw: ${done} of ${total} objects asked for` }),
      },
    );
    return { left: (found?.frozen ?? 0) + (found?.thawing ?? 0), bytes: found?.notReadyBytes ?? 0 };
  });
}

function artifactsIn(body: ManifestBody, components: readonly string[]): ArtifactRef[] {
  const own = body.components.filter(({ name }) => components.includes(name)).flatMap(({ artifacts }) => artifacts);
  return components.length === 0 ? artifactsOf(body) : own;
}

async function withStore<T>(config: StoreConfig, use: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(config, resolveSecret);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}
