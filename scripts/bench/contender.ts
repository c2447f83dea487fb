/** What takes part in the benchmark. Each starts with an empty repository for every run and data set. */
import type { Measured } from './measure.ts';

export type DataSet = 'ledger' | 'files';

export interface Contender {
  readonly name: string;
  /** Empties everything and makes a new, encrypted repository. */
  reset(data: DataSet, source: string): Promise<void>;
  backup(): Promise<Measured>;
  /** Into an empty directory; returns where the copy of the source lies then. */
  restore(target: string): Promise<Measured & { readonly copy: string }>;
  /** Reads everything back. */
  verify(): Promise<Measured>;
  storedBytes(): Promise<number>;
  /** Facts worth a line in the report, such as a version. */
  describe(): Promise<string>;
  close(): Promise<void>;
}
