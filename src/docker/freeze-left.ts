/** Freezes that a dead worker left behind. */
import { HoldfastError } from '../failures.ts';
import { readFired, readJournal, readJournals, removeJournal } from './freeze-journal.ts';
import type { FreezeJournal } from './freeze-journal.ts';
import { releaseContainers } from './freeze-release.ts';
import { isAlive, ownIdentity, printIdentity } from './process-identity.ts';
import type { DockerHost } from './types.ts';

export interface LeftOptions {
  readonly docker: DockerHost;
  readonly signal?: AbortSignal;
  readonly onTrouble?: (message: string) => void;
  /** Also what a living process holds: for a workflow that knows that its activity is over. */
  readonly evenIfAlive?: boolean;
}

/** Freezes whose worker is dead: nobody but the guard or a caller of `releaseFreeze` will release them. */
export async function leftFreezes(stateDirectory: string): Promise<FreezeJournal[]> {
  const { journals } = await readJournals(stateDirectory);
  return journals.filter((journal) => !isAlive(journal.worker));
}

/**
 * Releases one freeze, or with no id all that dead workers left. Touches only what the journal says that freeze itself
 * paused or stopped, and leaves alone what an operator has since removed, started, or paused by himself. Returns the ids
 * of the freezes that are over; one that a living process holds is not touched: with an id this throws HostBusy, unless
 * `evenIfAlive`. No such freeze: nothing is done.
 */
export async function releaseFreeze(
  stateDirectory: string,
  freezeId: string | undefined,
  options: LeftOptions,
): Promise<string[]> {
  const journals =
    freezeId === undefined ? await leftFreezes(stateDirectory) : await oneFreeze(stateDirectory, freezeId, options);
  const over: string[] = [];
  for (const journal of journals) {
    await releaseJournal(stateDirectory, journal, options);
    over.push(journal.intent.freezeId);
  }
  const unreadable = freezeId === undefined ? (await readJournals(stateDirectory)).unreadable : [];
  for (const problem of unreadable) options.onTrouble?.(`left as it is: ${problem}`);
  return over;
}

async function oneFreeze(stateDirectory: string, freezeId: string, options: LeftOptions): Promise<FreezeJournal[]> {
  const journal = await readJournal(stateDirectory, freezeId);
  if (journal === undefined) return [];
  const own = printIdentity(journal.worker) === printIdentity(ownIdentity());
  if (isAlive(journal.worker) && !own && options.evenIfAlive !== true) {
    throw new HoldfastError('HostBusy', `The freeze ${freezeId} is held by process ${journal.worker.pid}`);
  }
  return [journal];
}

async function releaseJournal(stateDirectory: string, journal: FreezeJournal, options: LeftOptions): Promise<void> {
  const { freezeId } = journal.intent;
  const fired = await readFired(stateDirectory, freezeId, journal.beganMonotonicMs);
  const known = { ...journal, released: [...journal.released, ...(fired?.released ?? [])] };
  await releaseContainers(options.docker, known, {
    quiet: false,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onTrouble === undefined ? {} : { onTrouble: options.onTrouble }),
  });
  await removeJournal(stateDirectory, freezeId);
}
