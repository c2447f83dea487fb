/** A point in time of a database cluster: which backup it begins with, and the log that leads from there to it. */
import { HoldfastError } from '../failures.ts';
import type { WalSource } from '../part.ts';
import { parseSegmentName } from '../policy/lsn.ts';
import { basePointIn, chooseBase, type HeldLog, type Reach } from '../policy/reachable.ts';
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
 * The backup to begin with, from the first store that has one that gets there. Throws BadInput for a target that is none
 * or belongs to no cluster, Unreachable with the nearest moments that can be had.
 */
export async function findRecoveryPoint(
  context: HostContext,
  system: System,
  asked: RestoreInput & { readonly recoverTo: string },
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
  const logs = await context.heldLogs(system, { store: component.wal.store, component: component.name }, signal);
  const stores = asked.store === undefined ? system.stores.map(({ name }) => name) : [asked.store];
  let trouble: unknown;
  for (const store of stores) {
    try {
      const filter = { signal, ...(asked.plan === undefined ? {} : { plan: asked.plan }) };
      const entries = (await context.catalogue(system, store, filter)).filter(wantedBy(asked.backup));
      const bases = entries.flatMap(({ key, body }) => basesIn(key, body, component.name));
      const reach = chooseBase(target, bases, logs);
      const entry = entries.find(({ key }) => key === reach.base.backup);
      if (entry === undefined) throw new HoldfastError('Internal', 'A chosen backup is not in the catalogue');
      return { store, entry, component, recoverTo: recoveryTargetText(target), ...told(target, reach) };
    } catch (error) {
      signal.throwIfAborted();
      trouble ??= error;
    }
  }
  throw trouble instanceof Error ? trouble : new HoldfastError('BackupMissing', `${system.name} has no stores`);
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
 * since the histories in it say which timelines are taken.
 */
export async function withLogOf<T>(
  context: HostContext,
  system: System,
  { name, record }: { readonly name: string; readonly record: ManifestBody['components'][number] | undefined },
  signal: AbortSignal,
  use: (wal: Pick<RestoreTarget, 'wal'>) => Promise<T>,
): Promise<T> {
  const component = componentOf(system, name);
  const base = record === undefined ? undefined : basePointIn('', record.facts);
  if (!isCluster(component) || component.wal === undefined || base === undefined) return use({});
  const where = { store: component.wal.store, component: name, systemIdentifier: base.systemIdentifier };
  const logs = await context.heldLogs(system, where, signal);
  const log = logs.find(({ systemIdentifier }) => systemIdentifier === base.systemIdentifier);
  return context.withWalSource(system, where, (source) =>
    use({
      wal: (systemIdentifier) =>
        Promise.resolve(
          systemIdentifier === base.systemIdentifier && source !== undefined ? certain(source, log) : undefined,
        ),
    }),
  );
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
