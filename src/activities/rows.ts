/** The steps of putting rows back, on the host of the component. Each finds what an earlier attempt of it has done. */
import { HoldfastError } from '../failures.ts';
import { rowsDigest } from '../policy/rows-digest.ts';
import { rowsOf } from '../sources/rows/index.ts';
import type { RowsApplied, RowsAsk } from '../sources/rows/rows-kind.ts';
import type { RowsPlan } from '../workflows/contract.ts';
import { componentOf, type HostContext } from './host-context.ts';
import type { Run } from './shell.ts';
import type { HostActivities, RowsBrought, RowsRequest } from './types.ts';
import { findEntry } from './verify.ts';

type Input<A extends keyof HostActivities> = Parameters<HostActivities[A]>[0];

export async function bringRows(context: HostContext, input: Input<'bringRows'>, run: Run): Promise<RowsBrought> {
  const system = await context.system(input.system);
  const component = componentOf(system, input.component);
  const kind = rowsOf(component);
  const { store, entry } = await findEntry(context, system, input, run.signal);
  if (!entry.trust.ok) throw new HoldfastError('Untrusted', `${entry.key}: ${entry.trust.why}`);
  const { body } = entry;
  if (!body.components.some(({ name }) => name === component.name)) {
    const names = body.components.map(({ name }) => name).join(', ');
    throw new HoldfastError('BadInput', `backup ${body.id} has no ${component.name}; it has ${names}`, {
      hint: 'Name a plan or a backup that holds the component.',
    });
  }
  run.report({ phase: `restore ${component.name} for inspection` });
  const copy = await context.withReader(system, store, async (vault) => {
    const artifacts = async () => (await vault.open(entry.key)).artifacts(component.name);
    return kind.bring(component, { manifestKey: entry.key, artifacts }, askOf(input), context.kindContext(system, run));
  });
  return {
    store,
    backup: body.id,
    manifestKey: entry.key,
    pointAt: body.pointAt,
    copy: copy.place,
    warnings: entry.notes ?? [],
  };
}

export async function previewRows(context: HostContext, input: Input<'previewRows'>, run: Run): Promise<RowsPlan> {
  const system = await context.system(input.system);
  const component = componentOf(system, input.component);
  const { brought } = input;
  const found = await rowsOf(component).preview(component, askOf(input), context.kindContext(system, run));
  const plan: Omit<RowsPlan, 'digest'> = {
    affectedSha256: found.affectedSha256,
    backup: brought.backup,
    manifestKey: brought.manifestKey,
    store: brought.store,
    pointAt: brought.pointAt,
    ageSeconds: Math.max(0, Math.round((Date.now() - Date.parse(brought.pointAt)) / 1000)),
    component: component.name,
    kind: component.kind,
    host: context.host,
    ...(input.database === undefined ? {} : { database: input.database }),
    ...(input.where === undefined ? {} : { where: input.where }),
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
  return rowsOf(component).apply(component, ask, context.kindContext(system, run));
}

export async function discardRows(context: HostContext, input: Input<'discardRows'>, run: Run): Promise<void> {
  const system = await context.system(input.system);
  const component = componentOf(system, input.component);
  await rowsOf(component).discard(component, askOf(input), input.keepFiles, context.kindContext(system, run));
}

function askOf({ rowsId, table, where, onChanged, database }: RowsRequest): RowsAsk {
  return {
    rowsId,
    table,
    onChanged,
    ...(where === undefined ? {} : { where }),
    ...(database === undefined ? {} : { database }),
  };
}
