/** What a preview of rows comes to. Pure. */
import type { RowsPlan } from '../workflows/rows-contract.ts';

/** Whether anything would be written. */
export function changesAnything({ tables, onChanged }: Pick<RowsPlan, 'tables' | 'onChanged'>): boolean {
  return tables.some(({ missing, changed }) => missing > 0 || (onChanged === 'restore' && changed > 0));
}
