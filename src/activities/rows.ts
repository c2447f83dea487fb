/** The steps of putting rows back, on the host of the component. Each finds what an earlier attempt of it has done. */
import { HoldfastError } from '../failures.ts';
import { rowsDigest } from '../policy/rows-digest.ts';
import { rowsOf } from '../sources/rows/index.ts';
import type { RowsApplied, RowsAsk } from '../sources/rows/rows-kind.ts';
import type { RowsPlan } from '../workflows/contract.ts';
import type { System } from '../system/types.ts';
import { componentOf, type HostContext } from './host-context.ts';
import { alone, clearLeftovers, forgetRun, noteRun, type Making } from './leftovers.ts';
import { findRecoveryPoint, withLogOf, type RecoveryPoint } from './recovery-point.ts';
import type { Run } from './shell.ts';
import type { HostActivities, RowsBrought, RowsRequest } from './types.ts';
import { findEntry, usable, type Found } from './verify.ts';
import type { CatalogueEntry } from '../vault/types.ts';
import { listOf } from '../workflows/lists.ts';

type Input<A extends keyof HostActivities> = Parameters<HostActivities[A]>[0];

export async function bringRows(context: HostContext, input: Input<'bringRows'>, run: Run): Promise<RowsBrought> {
  const system = await context.system(input.system);
  const component = componentOf(system, input.component);
  const kind = rowsOf(component);
  const several = await severalOf(context, system, component.name, input, run.signal);
  const point = several?.point ?? (await pointOf(context, system, component.name, input, run.signal));
  const { store, entry, recoverTo } = point;
  if (!entry.trust.ok) throw new HoldfastError('Untrusted', `${entry.key}: ${entry.trust.why}`);
  const { body } = entry;
  const record = body.components.find(({ name }) => name === component.name);
  if (record === undefined) {
    const names = body.components.map(({ name }) => name).join(', ');
    throw new HoldfastError('BadInput', `backup ${body.id} has no ${component.name}; it has ${names}`, {
      hint: 'Name a plan or a backup that holds the component.',
    });
  }
  await clearLeftovers(context, system, component, run);
  await noteRun(context, makingOf(input), run);
  run.report({ phase: `restore ${component.name} for inspection` });
  const kindContext = context.kindContext(system, run);
  const bring = () =>
    context.withReader(system, store, async (vault) => {
      const artifacts = async () => (await vault.open(entry.key)).artifacts(component.name);
      const sources = several?.entries.map((each) => ({
        backup: each.body.id,
        pointAt: each.body.pointAt,
        manifestKey: each.key,
        artifacts: async () => (await vault.open(each.key)).artifacts(component.name),
      }));
      const only = { manifestKey: entry.key, artifacts, keep: input.keep === true };
      const backup = sources === undefined ? only : { ...only, sources };
      if (recoverTo === undefined) return kind.bring(component, backup, askOf(input), kindContext);
      return withLogOf(context, system, { name: component.name, record, recoverTo }, run.signal, (log) =>
        kind.bring(component, { ...backup, ...log, recoverTo }, askOf(input), kindContext),
      );
    });
  const copy = await alone(context, makingOf(input), run, bring);
  return {
    store,
    backup: body.id,
    manifestKey: entry.key,
    pointAt: point.pointAt ?? copy.pointAt ?? body.pointAt,
    ...(recoverTo === undefined ? {} : { recoverTo }),
    copy: copy.place,
    ...(several === undefined ? {} : { from: several.entries.map(({ body: { id } }) => id).join(',') }),
    ...(copy.merged === undefined ? {} : { merged: copy.merged }),
    warnings: [...(entry.notes ?? []), ...point.warnings, ...copy.warnings],
  };
}

type Point = Found & Partial<Pick<RecoveryPoint, 'recoverTo' | 'pointAt'>> & Pick<RecoveryPoint, 'warnings'>;

/** The backup that is meant, or the one from which recovery gets to the moment that is meant. */
async function pointOf(
  context: HostContext,
  system: System,
  component: string,
  input: Input<'bringRows'>,
  signal: AbortSignal,
): Promise<Point> {
  const { backup, plan, store, recoverTo } = input;
  if (recoverTo === undefined) return { ...(await findEntry(context, system, input, signal)), warnings: [] };
  const asked = {
    system: system.name,
    components: component,
    recoverTo,
    ...(backup === undefined ? {} : { backup }),
    ...(plan === undefined ? {} : { plan }),
    ...(store === undefined ? {} : { store }),
  };
  return findRecoveryPoint(context, system, asked, signal);
}

interface Several {
  readonly point: Point;
  /** Newest first. */
  readonly entries: readonly CatalogueEntry[];
}

const MOST_SOURCES = 30;

/** Undefined: one backup. Several have to lie in one store. */
async function severalOf(
  context: HostContext,
  system: System,
  component: string,
  input: Input<'bringRows'>,
  signal: AbortSignal,
): Promise<Several | undefined> {
  const { from, backups } = input;
  if (from === undefined && backups === undefined) {
    if (input.valid === undefined) return undefined;
    throw new HoldfastError('BadInput', 'what is valid is asked of several backups: say which, or how many');
  }
  if (input.recoverTo !== undefined || (from !== undefined && (backups ?? input.backup) !== undefined)) {
    throw new HoldfastError(
      'BadInput',
      'several backups are named by their ids or by a number, without a point in time',
    );
  }
  const ids = listOf(from);
  const { store } = await findEntry(context, system, { ...input, backup: ids[0] ?? input.backup, component }, signal);
  const filter = { signal, ...(input.plan === undefined ? {} : { plan: input.plan }) };
  const newest = await findEntry(context, system, { ...input, store, backup: input.backup, component }, signal);
  const held = (await context.catalogue(system, store, filter)).filter(
    (each) => usable(each) && each.body.components.some(({ name }) => name === component),
  );
  const missing = ids.find((id) => !held.some(({ body }) => body.id === id));
  if (missing !== undefined)
    throw new HoldfastError('BackupMissing', `${store} has no backup ${missing} of ${component}`);
  const until = Date.parse(newest.entry.body.startedAt);
  const entries =
    ids.length > 0
      ? held.filter(({ body }) => ids.includes(body.id))
      : held.filter(({ body }) => Date.parse(body.startedAt) <= until).slice(0, backups);
  const [first] = entries;
  if (first === undefined || entries.length > MOST_SOURCES) {
    throw new HoldfastError('BadInput', `${entries.length} backups can't be merged: name 1 to ${MOST_SOURCES}`);
  }
  return { point: { store, entry: first, warnings: [] }, entries };
}

export async function previewRows(context: HostContext, input: Input<'previewRows'>, run: Run): Promise<RowsPlan> {
  const system = await context.system(input.system);
  const component = componentOf(system, input.component);
  const { brought } = input;
  const found = await alone(context, makingOf(input), run, () =>
    rowsOf(component).preview(component, askOf(input), context.kindContext(system, run)),
  );
  const plan: Omit<RowsPlan, 'digest'> = {
    affectedSha256: found.affectedSha256,
    backup: brought.backup,
    manifestKey: brought.manifestKey,
    store: brought.store,
    pointAt: brought.pointAt,
    ...(brought.recoverTo === undefined ? {} : { recoverTo: brought.recoverTo }),
    ageSeconds: Math.max(0, Math.round((Date.now() - Date.parse(brought.pointAt)) / 1000)),
    component: component.name,
    kind: component.kind,
    host: context.host,
    ...(input.database === undefined ? {} : { database: input.database }),
    ...(input.where === undefined ? {} : { where: input.where }),
    ...(input.valid === undefined ? {} : { valid: input.valid }),
    ...(brought.merged === undefined ? {} : { merged: brought.merged }),
    onChanged: input.onChanged,
    tables: found.tables,
    copy: brought.copy,
    keysFile: found.keysFile,
    warnings: [...brought.warnings, ...found.warnings],
  };
  return { digest: rowsDigest(system.name, plan), ...plan };
}

export async function applyRows(context: HostContext, input: Input<'applyRows'>, run: Run): Promise<RowsApplied> {
  const system = await context.system(input.system);
  const component = componentOf(system, input.component);
  const ask = { ...askOf(input), affectedSha256: input.affectedSha256 };
  return alone(context, makingOf(input), run, () =>
    rowsOf(component).apply(component, ask, context.kindContext(system, run)),
  );
}

export async function discardRows(context: HostContext, input: Input<'discardRows'>, run: Run): Promise<void> {
  const system = await context.system(input.system);
  const component = componentOf(system, input.component);
  await alone(context, makingOf(input), run, () =>
    rowsOf(component).discard(component, askOf(input), input.keepFiles, context.kindContext(system, run)),
  );
  await forgetRun(context, makingOf(input));
}

function makingOf({ system, component, rowsId }: RowsRequest): Making {
  return { system, component, id: rowsId };
}

function askOf({ rowsId, table, where, valid, onChanged, database }: RowsRequest): RowsAsk {
  return {
    rowsId,
    table,
    onChanged,
    ...(where === undefined ? {} : { where }),
    ...(valid === undefined ? {} : { valid }),
    ...(database === undefined ? {} : { database }),
  };
}
