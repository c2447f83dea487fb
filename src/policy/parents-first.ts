/** In which order tables are written. Pure. */

/**
 * Tables after those that they refer to, otherwise as given. Where they refer to each other in a circle, the one given
 * first comes first: its constraint must then be deferrable, which the database itself judges.
 */
export function parentsFirst<T>(tables: readonly T[], parentsOf: (table: T) => readonly T[]): T[] {
  const order: T[] = [];
  const begun = new Set<T>();
  const place = (table: T): void => {
    if (begun.has(table)) return;
    begun.add(table);
    for (const parent of parentsOf(table)) if (tables.includes(parent)) place(parent);
    order.push(table);
  };
  for (const table of tables) place(table);
  return order;
}
