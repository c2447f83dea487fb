/** The steps of putting back what is missing, on the host of the component. Each finds what an earlier attempt has done. */
import { HoldfastError } from '../failures.ts';
import { missingDigest } from '../policy/missing-digest.ts';
import { bringMissing as bring, discardMissing as discard } from '../sources/missing/bring.ts';
import { putBackMissing } from '../sources/missing/put-back.ts';
import { previewUndo, undoMissing } from '../sources/missing/undo.ts';
import type { Component, System } from '../system/types.ts';
import type { MissingPlan } from '../workflows/contract.ts';
import type { CatalogueEntry } from '../vault/types.ts';
import { componentOf, type HostContext } from './host-context.ts';
import { alone, clearLeftovers, forgetRun, noteRun, type Making } from './leftovers.ts';
import type { MissingApplied, MissingRequest } from './missing-types.ts';
import type { Run } from './shell.ts';
import type { HostActivities } from './types.ts';
import { findEntry } from './verify.ts';

type Input<A extends keyof HostActivities> = Parameters<HostActivities[A]>[0];

export async function planMissing(context: HostContext, input: Input<'planMissing'>, run: Run): Promise<MissingPlan> {
  const system = await context.system(input.system);
  const component = componentOf(system, input.component);
  await clearLeftovers(context, system, component, run);
  const { undo } = input;
  const plan =
    undo === undefined
      ? await planPutBack(context, system, component, input, run)
      : await planUndo(context, system, component, { ...input, undo }, run);
  return { digest: missingDigest(system.name, plan), ...plan };
}

async function planPutBack(
  context: HostContext,
  system: System,
  component: Component,
  input: Input<'planMissing'>,
  run: Run,
): Promise<Omit<MissingPlan, 'digest'>> {
  const { paths, changed, bring: brings } = input;
  const { store, entry } = await findEntry(context, system, { ...input, component: component.name }, run.signal);
  if (!entry.trust.ok) throw new HoldfastError('Untrusted', `${entry.key}: ${entry.trust.why}`);
  await noteRun(context, makingOf(input), run);
  run.report({ phase: `compare ${component.name}` });
  const brought = await alone(context, makingOf(input), run, () =>
    context.withReader(system, store, async (vault) => {
      const artifacts = async () => (await vault.open(entry.key)).artifacts(component.name);
      const ask = { id: input.missingId, paths, changed, bring: brings };
      return bring(component, { manifestKey: entry.key, artifacts }, ask, context.kindContext(system, run));
    }),
  );
  return { ...factsOf(context, component, store, entry), changed, ...brought };
}

function factsOf(context: HostContext, component: Component, store: string, entry: CatalogueEntry) {
  const { body } = entry;
  return {
    backup: body.id,
    manifestKey: entry.key,
    store,
    pointAt: body.pointAt,
    ageSeconds: Math.max(0, Math.round((Date.now() - Date.parse(body.pointAt)) / 1000)),
    component: component.name,
    kind: component.kind,
    host: context.host,
  };
}

async function planUndo(
  context: HostContext,
  system: System,
  component: Component,
  input: Input<'planMissing'> & { readonly undo: string },
  run: Run,
): Promise<Omit<MissingPlan, 'digest'>> {
  const { undo } = input;
  const found = await alone(context, { ...makingOf(input), id: undo }, run, () =>
    previewUndo(component.name, undo, context.kindContext(system, run)),
  );
  const { manifestKey, place, affectedSha256, listFile, changedSince } = found;
  return {
    affectedSha256,
    backup: /([^/-]+)\.json$/.exec(manifestKey)?.[1] ?? manifestKey,
    manifestKey,
    store: '',
    pointAt: '',
    ageSeconds: 0,
    component: component.name,
    kind: component.kind,
    host: context.host,
    place,
    paths: [],
    changed: false,
    undoes: undo,
    missing: found.remove,
    differ: found.return,
    same: 0,
    inTheWay: 0,
    changedSince,
    listFile,
    warnings: [],
  };
}

export async function applyMissing(
  context: HostContext,
  input: Input<'applyMissing'>,
  run: Run,
): Promise<MissingApplied> {
  const system = await context.system(input.system);
  const component = componentOf(system, input.component);
  const { undo, missingId, changed } = input;
  const kindContext = context.kindContext(system, run);
  if (undo !== undefined) {
    return alone(context, { ...makingOf(input), id: undo }, run, () => undoMissing(component.name, undo, kindContext));
  }
  return alone(context, makingOf(input), run, () => putBackMissing(kindContext, { id: missingId, changed }));
}

export async function discardMissing(context: HostContext, input: Input<'discardMissing'>, run: Run): Promise<void> {
  const system = await context.system(input.system);
  await alone(context, makingOf(input), run, () =>
    discard(context.kindContext(system, run), input.missingId, input.keepFiles),
  );
  await forgetRun(context, makingOf(input));
}

function makingOf({ system, component, missingId }: MissingRequest): Making {
  return { system, component, id: missingId };
}
