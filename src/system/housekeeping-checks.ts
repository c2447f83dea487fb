/** Section `housekeeping` against the others: names that must exist, and a key to read with. Pure. */
import { keepsForDays } from '../policy/housekeeping.ts';
import type { HousekeepingFile } from './housekeeping-schema.ts';
import { reportUnknown, type Report } from './report.ts';
import { buildKeep } from './store-build.ts';

type KeepFile = Parameters<typeof buildKeep>[0];

interface PlanFile {
  readonly components: readonly string[];
  readonly stores: readonly string[];
  readonly keep?: KeepFile | undefined;
  readonly keepIn?: Readonly<Record<string, KeepFile>> | undefined;
}

export function checkHousekeeping(
  file: {
    readonly housekeeping?: HousekeepingFile | undefined;
    readonly components: Readonly<Record<string, { readonly kind: string }>>;
    readonly plans: Readonly<Record<string, PlanFile>>;
    readonly keys?: { readonly identity?: unknown } | undefined;
  },
  names: { readonly components: readonly string[]; readonly stores: readonly string[] },
  report: Report,
): void {
  for (const [name, { component, stores = [] }] of Object.entries(file.housekeeping ?? {})) {
    const path = ['housekeeping', name];
    const kind = file.components[component]?.kind;
    reportUnknown([...path, 'component'], 'component', component, names.components, report);
    if (kind !== undefined && kind !== 'files') {
      report([...path, 'component'], `\`${component}\` is of the kind ${kind}: name a component of the kind files`);
    }
    const plans = Object.entries(file.plans).filter(([, plan]) => plan.components.includes(component));
    for (const [plan, store] of forgetful(plans, stores)) {
      report(
        path,
        `what goes would soon go from \`${store}\` too: plan \`${plan}\` keeps only its newest there; add a \`within\` or \`daily\` to its keep`,
      );
    }
    stores.forEach((store, index) => {
      reportUnknown([...path, 'stores', index], 'store', store, names.stores, report);
    });
    if (file.keys !== undefined && file.keys.identity === undefined) {
      report(path, 'before a file goes its backup is read: add `keys.identity` on the host, or remove this');
    }
  }
}

/** The stores that count, in which no plan of the component keeps it for days, each with one of the plans. */
function forgetful(plans: readonly (readonly [string, PlanFile])[], only: readonly string[]): [string, string][] {
  const stores = only.length > 0 ? only : [...new Set(plans.flatMap(([, plan]) => plan.stores))];
  return stores.flatMap((store): [string, string][] => {
    const there = plans.filter(([, plan]) => plan.stores.includes(store));
    const [first] = there;
    const remembers = there.some(([, { keep, keepIn }]) => keepsForDays(built(keepIn?.[store] ?? keep)));
    return first === undefined || remembers ? [] : [[first[0], store]];
  });
}

function built(keep: KeepFile | undefined): ReturnType<typeof buildKeep> | undefined {
  return keep === undefined ? undefined : buildKeep(keep);
}
