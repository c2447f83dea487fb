/** Holdfast as it takes part in the benchmark. */
import type { Contender } from './contender.ts';
import type { Sources } from './run.ts';

export interface OurContenders {
  readonly contenders: readonly Contender[];
  freezes(): Promise<{ what: string; milliseconds: number }[]>;
  close(): Promise<void>;
}

export function holdfastContenders(
  _scratch: string,
  _sources: Sources,
  _say: (text: string) => void,
): Promise<OurContenders> {
  return { contenders: [], freezes: () => Promise.resolve([]), close: () => Promise.resolve() };
}
