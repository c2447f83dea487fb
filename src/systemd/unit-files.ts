/** Which files of a directory of units belong to a unit: its own, what changes it, and what enables it. Pure. */

/** Files of a site guard's, which belong to the machine that it guards and to no backup: `*` is the system. */
export const GUARD_DROP_IN = 'holdfast-site-*.conf';

/** The suffixes of directories in which a link has a unit started by another one (systemd.unit(5)). */
const PULLED_IN_BY = ['wants', 'requires', 'upholds'] as const;

/** Patterns for all names of a unit: `app.service`, aliases, and for `app@one.service` its template. */
export function patternsOf(names: readonly string[]): string[] {
  const all = [...new Set(names.flatMap((name) => [name, ...templateOf(name)]))];
  return all
    .flatMap((name) => [
      name,
      `${name}.d/**`,
      ...PULLED_IN_BY.flatMap((how) => [`*.${how}/${name}`, `${name}.${how}/**`]),
    ])
    .map((pattern) => `/${pattern.replaceAll('\\', '\\\\')}`);
}

function templateOf(name: string): string[] {
  const [, template, kind] = /^([^@]+@)[^@]*(\.[a-z]+)$/.exec(name) ?? [];
  return template === undefined || kind === undefined ? [] : [`${template}${kind}`];
}
