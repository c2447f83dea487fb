/** Which backups a drill restores, and what is made for them. Changes nothing. */
import { HoldfastError } from '../../failures.ts';
import { chooseForDrill, type Choosable } from '../../policy/drill-choice.ts';
import { restoreOrder } from '../../policy/order.ts';
import type { Component, System } from '../../system/types.ts';
import type { CatalogueEntry } from '../../vault/types.ts';
import type { DrillComponent, DrillLoss, DrillPlan, DrillSource } from '../../workflows/drill-contract.ts';
import { componentOf, type HostContext } from '../host-context.ts';
import type { DrillFacts } from '../drill-types.ts';
import type { Run } from '../shell.ts';
import { usable } from '../verify.ts';
import { wordsOfScratch } from './places.ts';

interface Known extends Choosable {
  readonly store: string;
  readonly entry: CatalogueEntry;
}

/** Throws BackupMissing when nothing can be rehearsed with, and what a store said when none could be read. */
export async function planDrill(
  context: HostContext,
  asked: DrillFacts & { readonly drillId: string },
  run: Run,
): Promise<DrillPlan> {
  run.report({ phase: 'choose backups' });
  const system = await context.system(asked.system);
  const nowMs = Date.now();
  const { known, unread } = await usableBackups(context, system, run.signal);
  const names = asked.components.length > 0 ? asked.components : system.components.map(({ name }) => name);
  const wanted = asked.plan === undefined ? names : ofPlan(system, asked.plan, names);
  const { chosen, warnings } = chooseForDrill(known, { ...asked, components: wanted }, nowMs);
  const sources = chosen.map(({ backup, components }) => sourceOf(backup, components, nowMs));
  const sourceNamed = new Map(
    chosen.flatMap(({ backup, components }) => components.map((name) => [name, backup] as const)),
  );
  const restored = restoreOrder([...sourceNamed.keys()].map((name) => componentOf(system, name)));
  return {
    kind: asked.kind,
    sources,
    components: restored.map((component) => partOf(component, sourceNamed.get(component.name), asked.drillId)),
    losses: lossesOf(system, known, nowMs),
    warnings: [
      ...warnings,
      ...unread.map((store) => `${store} could not be read, and may hold other backups`),
      ...sources.flatMap(({ backup, whole }) =>
        whole ? [] : [`of ${backup} only a part is restored: that proves the part, and not the backup`],
      ),
      ...(asked.tellBeforeSeconds > 0 && !isToldOf(system)
        ? ['no channel asks for `drill announced`: nobody is told']
        : []),
    ],
  };
}

/** Of all stores, newest first; of several copies the one in the store that the system file names first. */
async function usableBackups(
  context: HostContext,
  system: System,
  signal: AbortSignal,
): Promise<{ known: Known[]; unread: string[] }> {
  const stores = system.stores.map(({ name }) => name);
  const read = await Promise.allSettled(stores.map((store) => context.catalogue(system, store, { signal })));
  signal.throwIfAborted();
  const known = new Map<string, Known>();
  for (const [index, outcome] of read.entries()) {
    if (outcome.status === 'rejected') continue;
    for (const entry of outcome.value.filter(usable)) {
      const { id, plan, pointAt, components } = entry.body;
      if (known.has(id)) continue;
      const own = components
        .map(({ name }) => name)
        .filter((name) => system.components.some((one) => one.name === name));
      known.set(id, { id, plan, pointAtMs: Date.parse(pointAt), components: own, store: stores[index] ?? '', entry });
    }
  }
  const unread = stores.filter((_, index) => read[index]?.status === 'rejected');
  const failed = read.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined && unread.length === stores.length) throw failed.reason;
  return { known: [...known.values()].toSorted((a, b) => b.pointAtMs - a.pointAtMs), unread };
}

function ofPlan(system: System, plan: string, names: readonly string[]): string[] {
  const own = system.plans.find(({ name }) => name === plan)?.components ?? [];
  const wanted = names.filter((name) => own.includes(name));
  if (wanted.length > 0) return wanted;
  throw new HoldfastError('BadInput', `plan ${plan} captures none of ${names.join(', ')}`);
}

function sourceOf(
  { id, plan, pointAtMs, store, entry, components: all }: Known,
  parts: readonly string[],
  nowMs: number,
): DrillSource {
  const { key, body } = entry;
  return {
    backup: id,
    plan,
    store,
    manifestKey: key,
    pointAt: body.pointAt,
    ageSeconds: Math.max(0, Math.round((nowMs - pointAtMs) / 1000)),
    whole: parts.length === body.components.length && parts.length === all.length,
  };
}

function partOf(component: Component, source: Known | undefined, drillId: string): DrillComponent {
  if (source === undefined) throw new HoldfastError('Internal', `no backup was chosen for ${component.name}`);
  const record = source.entry.body.components.find(({ name }) => name === component.name);
  return {
    name: component.name,
    kind: component.kind,
    host: component.host,
    sizeBytes: (record?.artifacts ?? []).reduce((sum, { lengthBytes }) => sum + lengthBytes, 0),
    backup: source.id,
    becomes: wordsOfScratch(component, drillId),
  };
}

/** Of every plan that anybody counts on: by its newest usable backup, whichever of them the drill restores. */
function lossesOf(system: System, known: readonly Known[], nowMs: number): DrillLoss[] {
  return system.plans.map(({ name, rpoSeconds }) => {
    const newest = known.find(({ plan }) => plan === name);
    return {
      plan: name,
      ...(newest === undefined ? {} : { ageSeconds: Math.max(0, Math.round((nowMs - newest.pointAtMs) / 1000)) }),
      ...(rpoSeconds === undefined ? {} : { objectiveSeconds: rpoSeconds }),
    };
  });
}

function isToldOf({ notify }: System): boolean {
  return notify.some(({ on }) => on.includes('drill announced'));
}
