/** Parts of a system by their names, as a person writes them, and which of its hosts this machine is. */
import { HoldfastError } from '../failures.ts';
import { localHost } from '../system/home.ts';
import { nearest } from '../system/problems.ts';
import type { HousekeepingTask, Plan, StoreConfig, System } from '../system/types.ts';

/** The plan of this name. Throws BadInput with those that there are. */
export function planOf(system: System, name: string): Plan {
  return named('plan', system.name, system.plans, name);
}

/** The store of this name. Throws BadInput with those that there are. */
export function storeOf(system: System, name: string): StoreConfig {
  return named('store', system.name, system.stores, name);
}

/** The housekeeping task of this name. Throws BadInput with those that there are. */
export function taskOf(system: System, name: string): HousekeepingTask {
  return named('housekeeping task', system.name, system.housekeeping, name);
}

/** Which of the system's hosts this machine is; undefined for another machine, such as one that only watches. */
export function hostHere(system: System): string | undefined {
  try {
    return localHost(system);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'BadInput') return undefined;
    throw error;
  }
}

function named<T extends { readonly name: string }>(
  what: 'plan' | 'store' | 'housekeeping task',
  system: string,
  all: readonly T[],
  name: string,
): T {
  const found = all.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = all.map((one) => one.name);
  const guess = nearest(name, names);
  throw new HoldfastError('BadInput', `${system} has no ${what} ${name}; it has ${names.join(', ') || 'none'}`, {
    hint: guess === undefined ? `Name one of its ${what}s.` : `Did you mean ${guess}?`,
  });
}
