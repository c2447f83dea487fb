/** A point in time of a database cluster: which backup it begins with, and the log that leads from there to it. */
import { HoldfastError } from '../failures.ts';
import type { WalSource } from '../part.ts';
import { parseSegmentName } from '../policy/lsn.ts';
import {
  basePointIn,
  chooseBase,
  covers,
  reachOf,
  type BasePoint,
  type HeldLog,
  type Reach,
} from '../policy/reachable.ts';
import { parseRecoveryTarget, recoveryTargetText, type RecoveryTarget } from '../policy/recovery-target.ts';
import type { RestoreTarget } from '../sources/kinds/component.ts';
import type { Component, PostgresBaseComponent, System } from '../system/types.ts';
import type { CatalogueEntry, ManifestBody } from '../vault/types.ts';
import type { RestoreInput } from '../workflows/contract.ts';
import { listOf } from '../workflows/lists.ts';
import { componentOf, type HostContext } from './host-context.ts';
import { usable, type Found } from './verify.ts';

export interface RecoveryPoint extends Found {
  readonly component: PostgresBaseComponent;
  /** In one spelling. */
  readonly recoverTo: string;
  /** What the restored data will be of, RFC 3339; undefined when only PostgreSQL will find out. */
  readonly pointAt?: string;
  readonly warnings: readonly string[];
}

/**
 * The backup to begin with, from the first store that has one that gets there, by the log of the first store that has one
 * which does. Throws BadInput for a target that is none
 * or belongs to no cluster, Unreachable with the nearest moments that can be had.
 */
export async function findRecoveryPoint(
  context: HostContext,
  system: System,
  asked: RestoreInput & {
    readonly recoverTo: string;
    /** Backups that may not be begun with are passed over. */
    readonly mayBegin?: (store: string, manifestKey: string) => boolean;
  },
  signal: AbortSignal,
): Promise<RecoveryPoint> {
  const target = parseRecoveryTarget(asked.recoverTo);
  const component = clusterOf(system, listOf(asked.components));
  if (component.wal === undefined) {
    throw new HoldfastError(
      'Unreachable',
      `${component.name} keeps no write-ahead log: only its backups can be restored`,
      {
        hint: 'Add `wal` to the component, so that its log is received from now on.',
      },
    );
  }
  const { name, wal } = component;
  const stores = asked.store === undefined ? system.stores.map((store) => store.name) : [asked.store];
  const filter = { signal, ...(asked.plan === undefined ? {} : { plan: asked.plan }) };
  const logsOf = remembering((store) => context.heldLogs(system, { store, component: name }, signal));
  const entriesOf = remembering((store) => context.catalogue(system, store, filter));
  const pairs = logStoresOf(system, component).flatMap((logStore) => stores.map((store) => ({ logStore, store })));
  let trouble: unknown;
  for (const { logStore, store } of pairs) {
    try {
      const logs = await logsOf(logStore);
      const entries = (await entriesOf(store))
        .filter(wantedBy(asked.backup))
        .filter(({ key }) => asked.mayBegin?.(store, key) ?? true);
      const bases = entries.flatMap(({ key, body }) => basesIn(key, body, name));
      const reach = chooseBase(target, bases, logs);
      const entry = entries.find(({ key }) => key === reach.base.backup);
      if (entry === undefined) throw new HoldfastError('Internal', 'A chosen backup is not in the catalogue');
      const { warnings, ...point } = told(target, reach);
      const copy = logStore === wal.store ? [] : [copyText(name, logStore, trouble)];
      const recoverTo = recoveryTargetText(target);
      return { store, entry, component, recoverTo, ...point, warnings: [...warnings, ...copy] };
    } catch (error) {
      signal.throwIfAborted();
      trouble ??= error;
    }
  }
  throw trouble instanceof Error ? trouble : new HoldfastError('BackupMissing', `${system.name} has no stores`);
}

/** Asks once for each store, and gives the same answer or the same error again. */
function remembering<T>(ask: (store: string) => Promise<T>): (store: string) => Promise<T> {
  const asked = new Map<string, Promise<T>>();
  return (store) => {
    const answer = asked.get(store) ?? ask(store);
    asked.set(store, answer);
    return answer;
  };
}

/** The store that the log is sent to, which reaches furthest; then those that hold copies of it. */
function logStoresOf(system: System, { wal }: PostgresBaseComponent): string[] {
  const names = system.stores.map(({ name }) => name);
  return [...names.filter((name) => name === wal?.store), ...names.filter((name) => name !== wal?.store)];
}

function copyText(component: string, store: string, trouble: unknown): string {
  const why = trouble instanceof Error ? `: ${trouble.message}` : '';
  return `the log of ${component} is read from ${store}${why}`;
}

/** One cluster, and nothing beside it: other components have no other moments than those of their backups. */
function clusterOf(system: System, names: readonly string[]): PostgresBaseComponent {
  const clusters = system.components.filter(isCluster);
  const wanted = names.length === 0 ? clusters : clusters.filter(({ name }) => names.includes(name));
  const [only] = wanted;
  if (only === undefined || wanted.length > 1 || names.length > 1) {
    const there = clusters.map(({ name }) => name).join(', ');
    throw new HoldfastError(
      'BadInput',
      there === ''
        ? `${system.name} has no database cluster (kind: postgres, method: base) that a point in time could be of`
        : `a point in time belongs to one database cluster: name it alone in "components" (${there})`,
    );
  }
  return only;
}

function isCluster(component: Component): component is PostgresBaseComponent {
  return component.kind === 'postgres' && component.method === 'base';
}

function wantedBy(backup = 'latest'): (entry: CatalogueEntry) => boolean {
  if (backup === 'latest') return usable;
  if (backup.startsWith('before:')) {
    throw new HoldfastError('BadInput', 'a point in time and "before:" exclude each other: the backup follows from it');
  }
  return ({ body, key }) => body.id === backup || key === backup;
}

function basesIn(key: string, body: ManifestBody, component: string): NonNullable<ReturnType<typeof basePointIn>>[] {
  const record = body.components.find(({ name }) => name === component);
  const base = record === undefined ? undefined : basePointIn(key, record.facts);
  return base === undefined ? [] : [base];
}

function told(target: RecoveryTarget, reach: Reach): Pick<RecoveryPoint, 'pointAt' | 'warnings'> {
  const warnings = reach.timeline === reach.base.timeline ? [] : [`recovery goes over into timeline ${reach.timeline}`];
  if (target.kind === 'time') return { pointAt: target.text, warnings };
  if (target.kind === 'end') return { pointAt: new Date(reach.toMs).toISOString(), warnings };
  return { warnings };
}

/**
 * Runs `use` with the log of the cluster that a backup is of, when the component keeps one; without a point in time too,
 * since the histories in it say which timelines are taken. From the first store whose log gets to the point in time.
 */
export async function withLogOf<T>(
  context: HostContext,
  system: System,
  asked: {
    readonly name: string;
    readonly record: ManifestBody['components'][number] | undefined;
    readonly recoverTo?: string | undefined;
  },
  signal: AbortSignal,
  use: (wal: Pick<RestoreTarget, 'wal'>) => Promise<T>,
): Promise<T> {
  const { name, record } = asked;
  const component = componentOf(system, name);
  const base = record === undefined ? undefined : basePointIn('', record.facts);
  if (!isCluster(component) || component.wal === undefined || base === undefined) return use({});
  const target = asked.recoverTo === undefined ? undefined : parseRecoveryTarget(asked.recoverTo);
  const { store, log } = await logOf(context, system, { component, base, target }, signal);
  const where = { store, component: name, systemIdentifier: base.systemIdentifier };
  return context.withWalSource(system, where, (source) =>
    use({
      wal: (systemIdentifier) =>
        Promise.resolve(
          systemIdentifier === base.systemIdentifier && source !== undefined ? certain(source, log) : undefined,
        ),
    }),
  );
}

/** Throws why a store can't be asked, when none of the others has a log that gets there. */
async function logOf(
  context: HostContext,
  system: System,
  asked: {
    readonly component: PostgresBaseComponent;
    readonly base: BasePoint;
    readonly target: RecoveryTarget | undefined;
  },
  signal: AbortSignal,
): Promise<{ readonly store: string; readonly log: HeldLog | undefined }> {
  const { component, base, target } = asked;
  let trouble: HoldfastError | undefined;
  let without: { readonly store: string; readonly log: HeldLog | undefined } | undefined;
  for (const store of logStoresOf(system, component)) {
    try {
      const logs = await context.heldLogs(system, { store, component: component.name }, signal);
      const log = logs.find(({ systemIdentifier }) => systemIdentifier === base.systemIdentifier);
      without ??= { store, log };
      if (log === undefined) continue;
      if (target === undefined || reachOf(base, log).some((reach) => covers(reach, target))) return { store, log };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HoldfastError)) throw error;
      trouble ??= error;
    }
  }
  if (without !== undefined && (trouble === undefined || target === undefined)) return without;
  throw trouble ?? new HoldfastError('Internal', `${system.name} has no stores`);
}

/** Where the signed records say until when the log holds everything, its files say so too. */
function certain(source: WalSource, log: HeldLog | undefined): WalSource {
  const ends = (log?.stretches ?? []).flatMap((stretch) => (stretch.certainUntilMs === undefined ? [] : [stretch]));
  return {
    read: (name, signal) => source.read(name, signal),
    async files() {
      return (await source.files()).map((file) => {
        const start = parseSegmentName(file.name, file.lengthBytes)?.start;
        const end = ends.find(
          ({ timeline, to }) =>
            start !== undefined && timeline === file.timeline && to > start && to <= start + BigInt(file.lengthBytes),
        );
        return end?.certainUntilMs === undefined ? file : { ...file, coversUntilMs: end.certainUntilMs };
      });
    },
  };
}
