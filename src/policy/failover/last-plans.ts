/** Which plans make the last backup of a system that stops. Pure. */

/** As few as capture everything that any plan captures: the largest first, each that adds something. */
export function lastPlans(
  plans: readonly { readonly name: string; readonly components: readonly string[] }[],
): string[] {
  const covered = new Set<string>();
  const chosen: string[] = [];
  for (const { name, components } of plans.toSorted((one, other) => other.components.length - one.components.length)) {
    if (components.every((component) => covered.has(component))) continue;
    chosen.push(name);
    for (const component of components) covered.add(component);
  }
  return chosen;
}
