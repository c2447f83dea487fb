/** What a preview of missing files comes to. Pure. */
import type { MissingPlan } from '../workflows/missing-contract.ts';

/** Whether anything would be written or removed. */
export function touchesAnything({ missing, differ, changed, undoes }: MissingPlan): boolean {
  const some = missing.files + missing.directories + missing.links > 0;
  return some || ((changed || undoes !== undefined) && differ.files > 0);
}
