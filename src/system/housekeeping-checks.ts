/** Section `housekeeping` against the others: names that must exist, and a key to read with. Pure. */
import type { HousekeepingFile } from './housekeeping-schema.ts';
import { nearest, type ProblemPath } from './problems.ts';

export function checkHousekeeping(
  file: {
    readonly housekeeping?: HousekeepingFile | undefined;
    readonly components: Readonly<Record<string, { readonly kind: string }>>;
    readonly keys?: { readonly identity?: unknown } | undefined;
  },
  names: { readonly components: readonly string[]; readonly stores: readonly string[] },
  report: (path: ProblemPath, message: string) => void,
): void {
  for (const [name, { component, stores = [] }] of Object.entries(file.housekeeping ?? {})) {
    const path = ['housekeeping', name];
    const kind = file.components[component]?.kind;
    if (!names.components.includes(component)) {
      report([...path, 'component'], unknown('component', component, names.components));
    } else if (kind !== undefined && kind !== 'files') {
      report([...path, 'component'], `\`${component}\` is of the kind ${kind}: name a component of the kind files`);
    }
    stores.forEach((store, index) => {
      if (!names.stores.includes(store)) report([...path, 'stores', index], unknown('store', store, names.stores));
    });
    if (file.keys !== undefined && file.keys.identity === undefined) {
      report(path, 'before a file goes its backup is read: add `keys.identity` on the host, or remove this');
    }
  }
}

function unknown(what: string, name: string, known: readonly string[]): string {
  const guess = nearest(name, known);
  const instead = guess === undefined ? `write one of: ${known.join(', ')}` : `did you mean \`${guess}\`?`;
  return `there is no ${what} \`${name}\`; ${instead}`;
}
