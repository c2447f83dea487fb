/** Queries that people wrote. */
import type { QueryConfig } from 'pg';

/** The simple protocol takes several statements, of which one could end the transaction that can't write. */
export function oneStatement(text: string): QueryConfig & { readonly queryMode: 'extended' } {
  return { text, queryMode: 'extended' };
}
