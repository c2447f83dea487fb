/** How a clean backup is told from one that is not, after loading. */
import type { SqlProbe } from './validation-types.ts';

export interface CleanPointConfig {
  /** Absent: trees of files, volumes, and what queries name. */
  readonly components?: readonly string[];
  readonly command?: readonly string[];
  readonly queries: readonly { readonly name: string; readonly probe: SqlProbe }[];
  readonly entropy: boolean;
  readonly changes: boolean;
  readonly backups: number;
  readonly withinSeconds: number;
  readonly limitSeconds: number;
}
