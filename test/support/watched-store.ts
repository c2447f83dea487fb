/** A store that notes what is asked of it, and can fail like one that vanished in the middle. */
import { HoldfastError } from '../../src/failures.ts';
import type { Store } from '../../src/stores/index.ts';

export interface WatchedStore extends Store {
  /** Keys whose create-only write succeeded, in order. */
  written: string[];
  /** Keys that were there already when a write was tried. */
  refused: string[];
  overwriting: string[];
  deleted: string[];
  got: string[];
  listed: string[];
  syncs: number;
  /** From this write on (counted from 1) every write fails. */
  failAtWrite: number | undefined;
  reset(): void;
}

export function watched(store: Store): WatchedStore {
  let writes = 0;
  const watching: WatchedStore = {
    label: store.label,
    kind: store.kind,
    written: [],
    refused: [],
    overwriting: [],
    deleted: [],
    got: [],
    listed: [],
    syncs: 0,
    failAtWrite: undefined,
    reset() {
      writes = 0;
      Object.assign(watching, {
        written: [],
        refused: [],
        overwriting: [],
        deleted: [],
        got: [],
        listed: [],
        syncs: 0,
      });
    },
    async put(key, bytes, options) {
      writes += 1;
      if (watching.failAtWrite !== undefined && writes >= watching.failAtWrite) {
        throw new HoldfastError('StoreUnreachable', `the store vanished before ${key}`);
      }
      if (!options.createOnly) watching.overwriting.push(key);
      const outcome = await store.put(key, bytes, options);
      (outcome === 'written' ? watching.written : watching.refused).push(key);
      return outcome;
    },
    get(key, options) {
      watching.got.push(key);
      return store.get(key, options);
    },
    head: (key) => store.head(key),
    list(prefix, options) {
      watching.listed.push(prefix);
      return store.list(prefix, options);
    },
    delete(key) {
      watching.deleted.push(key);
      return store.delete(key);
    },
    sync() {
      watching.syncs += 1;
      return store.sync();
    },
    close: () => store.close(),
  };
  return watching;
}
