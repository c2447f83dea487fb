/** What restores have kept aside, as a person reads it. */
import type { Colours } from '../observe/colours.ts';
import { formatBytes, formatSeconds } from '../observe/format.ts';
import { table } from '../observe/table.ts';
import type { ToldError } from '../observe/told.ts';

export interface AsideShown {
  readonly component: string;
  readonly restoreId: string;
  readonly place: string;
  readonly ageSeconds: number;
  /** Missing where it can't be told by looking at a directory. */
  readonly sizeBytes?: number;
  /** When it was kept, RFC 3339. */
  readonly since: string;
  /** `goes`: its time is over. `gone`: it was removed now. `stays`: with why. */
  readonly state: 'goes' | 'gone' | 'stays';
  readonly why?: string;
}

/** The answer of `aside --json`. */
export interface AsideAnswer {
  readonly system: string;
  /** Which host this machine is. */
  readonly host: string;
  readonly keepAsideSeconds: number;
  readonly kept: readonly AsideShown[];
  readonly unread: readonly { readonly component: string; readonly error: ToldError }[];
  /** Components of other hosts. */
  readonly elsewhere: readonly { readonly component: string; readonly on: string }[];
}

export function asideText(shown: readonly AsideShown[], colours: Colours): string {
  if (shown.length === 0) return 'nothing is kept aside';
  const rows = shown.map(({ component, restoreId, place, ageSeconds, sizeBytes, state, why }) => [
    component,
    formatSeconds(ageSeconds),
    sizeBytes === undefined ? '?' : formatBytes(sizeBytes),
    state === 'gone' ? 'removed' : state === 'goes' ? 'goes with the next run' : `stays: ${why ?? ''}`,
    place,
    restoreId,
  ]);
  return table(['component', 'age', 'size', '', 'place', 'restore'], rows, colours);
}
