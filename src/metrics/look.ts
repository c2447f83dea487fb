/** One look at the stores, the logs and the engine for the sake of metrics: facts, whatever they cost. */
import { holdfastHome } from '../system/home.ts';
import type { BackupSeen } from '../policy/backup-seen.ts';
import { planState, waitsForFirst } from '../policy/judge-plans.ts';
import { vaultSinceMs, type VaultAge } from '../status/brief.ts';
import { knownSystems } from '../system/last-good.ts';
import type { System } from '../system/types.ts';
import { lookAtCatalogues, type CatalogueMemories, type KnownBackup } from '../status/catalogues.ts';
import { planCopies, storesBehind } from '../status/copy-status.ts';
import { diskOf } from '../status/disk-look.ts';
import { isBehind, logStatuses } from '../status/log-status.ts';
import { storeReadBacks } from '../status/read-back-status.ts';
import { operationsOf, type EngineState } from '../status/running.ts';
import { drillHistory } from '../status/drill-runs.ts';
import { seenCatalogue, seenOf } from '../status/seen.ts';
import type { Sample } from './definitions.ts';
import { drillSamples } from './drill-samples.ts';
import { logSamples, storeSamples } from './system-samples.ts';

/** Of each kind the newest is among them, unless there are very many by hand. */
const DRILLS_SEEN = 40;

/** What was known of a system's backups at the last look, so that a store that is away does not make them unknown. */
export interface Remembered {
  readonly backups: readonly KnownBackup[];
  readonly complete: boolean;
  /** Manifests and proofs that were read: the next look reads what is new. */
  readonly memories?: CatalogueMemories;
}

export async function lookAtStores(
  system: System,
  engine: EngineState,
  before: Remembered | undefined,
  nowMs: number,
  scheduleMs: (plan: string) => Promise<number | undefined> = () => Promise.resolve(undefined),
): Promise<{ samples: Sample[]; remembered: Remembered }> {
  const operations = operationsOf(system.name, engine);
  const memories = before?.memories ?? (new Map() as CatalogueMemories);
  const [known, readBacks] = await Promise.all([lookAtCatalogues(system, { memories }), storeReadBacks(system, nowMs)]);
  const unread = known.unread.map(({ store }) => store);
  const backups = before === undefined ? known.backups : withAbsent(known.backups, before.backups, unread);
  const complete = unread.length === 0 || before?.complete === true;
  const seen = backups.map(seenOf);
  const facts = {
    backups,
    complete,
    unread: known.unread,
    readBacks,
    behind: storesBehind(system, seenCatalogue(known), operations, nowMs),
    copies: planCopies(system, { backups: seen }, readBacks, (plan) => planState(seen, plan, nowMs).newest?.id),
  };
  const first = complete ? await firstDueSamples(system, seen, known.vaults, { nowMs, scheduleMs }) : [];
  // Without an answer nothing is said: that stores can't be read has samples of its own.
  const drills = await drillHistory(system, DRILLS_SEEN).catch(() => []);
  const samples = [...storeSamples(system, facts, nowMs), ...first, ...drillSamples(system, drills)];
  return { samples, remembered: { backups, complete, memories } };
}

/** Of plans that have just begun; who compares it with the time needs nobody to say when it is over. */
async function firstDueSamples(
  system: System,
  seen: readonly BackupSeen[],
  vaults: readonly VaultAge[],
  at: { readonly nowMs: number; readonly scheduleMs: (plan: string) => Promise<number | undefined> },
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const plan of system.plans.filter(({ name }) => !seen.some((one) => one.plan === name))) {
    const begun = { vaultMs: vaultSinceMs(vaults, plan.stores), scheduleMs: await at.scheduleMs(plan.name) };
    const first = waitsForFirst(plan, seen, begun, at.nowMs);
    if (first === undefined) continue;
    const labels = { system: system.name, plan: plan.name };
    samples.push({ name: 'holdfast_first_backup_due_timestamp_seconds', labels, value: first.untilMs / 1000 });
  }
  return samples;
}

/** Pure: what lay in stores that can't be read now is taken to lie there still. That they can't be read is told apart. */
function withAbsent(
  now: readonly KnownBackup[],
  before: readonly KnownBackup[],
  unread: readonly string[],
): KnownBackup[] {
  if (unread.length === 0) return [...now];
  const nameOf = ({ entry }: KnownBackup): string => `${entry.key} ${entry.sha256}`;
  const current = new Map(now.map((backup) => [nameOf(backup), backup]));
  for (const old of before) {
    const stores = old.stores.filter((store) => unread.includes(store));
    if (stores.length === 0) continue;
    const verdicts = old.verdicts.filter(({ store }) => unread.includes(store));
    const found = current.get(nameOf(old));
    current.set(
      nameOf(old),
      found === undefined
        ? { ...old, stores, verdicts }
        : { ...found, stores: [...found.stores, ...stores], verdicts: [...found.verdicts, ...verdicts] },
    );
  }
  return [...current.values()];
}

export async function lookAtLogs(system: System, engine: EngineState, nowMs: number): Promise<Sample[]> {
  const logs = await logStatuses(system, engine, nowMs);
  return logSamples(
    system.name,
    logs.map((log) => ({ ...log, behind: isBehind(log, system, nowMs) })),
  );
}

/** File systems of this machine: of Holdfast's own state, and of the directory stores of what a host captures. */
export async function lookAtDisks(host: string | undefined): Promise<Sample[]> {
  const places = [{ system: '', place: 'state', path: holdfastHome() }, ...(await directoryStores(host))];
  const found = await Promise.all(
    places.map(async ({ system, place, path }): Promise<Sample[]> => {
      const labels = { system, place };
      // A place that does not answer has no size; that its store can't be read is told by the looks at stores.
      const seen = await diskOf(path).catch(() => undefined);
      if (seen === undefined) return [];
      return [
        { name: 'holdfast_filesystem_size_bytes', labels, value: seen.totalBytes },
        { name: 'holdfast_filesystem_available_bytes', labels, value: seen.freeBytes },
      ];
    }),
  );
  return found.flat();
}

async function directoryStores(host: string | undefined): Promise<{ system: string; place: string; path: string }[]> {
  if (host === undefined) return [];
  const systems = (await knownSystems()).flatMap(({ system }) => system ?? []);
  return systems
    .filter(({ hosts }) => hosts.includes(host))
    .flatMap(({ name, stores }) =>
      stores.flatMap((store) =>
        store.kind === 'directory' ? [{ system: name, place: `store:${store.name}`, path: store.path }] : [],
      ),
    );
}
