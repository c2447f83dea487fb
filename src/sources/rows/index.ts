/** The kinds of components that single rows can be put back into. */
import { HoldfastError } from '../../failures.ts';
import type { Component } from '../../system/types.ts';
import type { RowsKind } from './rows-kind.ts';
import { postgresRows } from './postgres-rows.ts';
import { leftOfRows } from './rows-files.ts';
import { sqliteRows } from './sqlite-rows.ts';

export { leftOfRows };

/** Throws BadInput for a kind that has no tables. */
export function rowsOf(component: Component): RowsKind {
  if (component.kind === 'sqlite') return sqliteRows;
  if (component.kind === 'postgres') return postgresRows;
  throw new HoldfastError('BadInput', `${component.name} is of kind ${component.kind}: it has no tables with rows`, {
    hint: 'Name a component of kind sqlite or postgres.',
  });
}
