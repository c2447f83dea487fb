/** Files in two stores, which are copied, pruned, damaged and healed beside captures. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { digestOf, LARGE_FILES, makeTree, replaceLarge } from './content.ts';
import type { Lane } from './lane.ts';
import { checkStores, type MadeBackup } from './stores-check.ts';
import { damageStore } from './stores-damage.ts';

/** Small, because every backup is restored from every store in every cycle. */
const LARGE_BYTES = 256 * 1024;
const KEPT = 2;
const STORES = ['vault', 'away'] as const;
const PLANS = ['now', 'beside'] as const;

export function storesLane(name: string, base: string): Lane {
  mkdirSync(base, { recursive: true });
  const tree = path.join(base, 'tree');
  makeTree(tree, LARGE_BYTES);
  const pathOf = (store: string): string => path.join(base, store);
  const made: MadeBackup[] = [];
  const plan = {
    components: ['data'],
    stores: [STORES[0]],
    // Never in a run; without a schedule more than four backups in an hour are not explained, and stay.
    schedule: '* * 1 1 *',
    keep: { last: KEPT },
  };
  return {
    name,
    system: {
      system: name,
      hosts: [name],
      stores: Object.fromEntries(STORES.map((store) => [store, { kind: 'directory', path: pathOf(store) }])),
      components: { data: { kind: 'files', path: tree } },
      plans: Object.fromEntries(PLANS.map((one) => [one, plan])),
    },
    rounds: [
      ['copy', 'prune'],
      ['heal', 'storm'],
    ],
    stores: {
      stores: STORES,
      plans: PLANS,
      made: (backup, ofPlan, digest) => void made.push({ backup, plan: ofPlan, digest }),
      damage: (store, part, rooms) => {
        const other = STORES.find((one) => one !== store) ?? store;
        return damageStore(pathOf(store), pathOf(other), part, rooms);
      },
      check: () => checkStores({ system: name, stores: STORES, made, kept: KEPT, pathOf, scratch: base }),
    },
    usesDocker: false,
    change: (part) => {
      replaceLarge(tree, Math.floor(part * LARGE_FILES), LARGE_BYTES);
      return Promise.resolve(digestOf(tree));
    },
    lose: () => Promise.resolve(undefined),
    digest: () => Promise.resolve(digestOf(tree)),
    troubles: () => Promise.resolve([]),
    forget: () => Promise.resolve(),
    chunkDirectory: path.join(pathOf(STORES[0]), 'chunks'),
    close: () => Promise.resolve(),
  };
}
