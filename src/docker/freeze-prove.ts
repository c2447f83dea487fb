/** Whether a freeze was unbroken: only then may be believed what was read inside it. */
import { HoldfastError } from '../failures.ts';
import { readFired } from './freeze-journal.ts';
import { drain } from './freeze-watch.ts';
import type { ContainerFacts, DockerHost, FreezeIntent, FrozenContainer } from './types.ts';

/** Pure: what is wrong with one container that should be still; undefined when nothing is. */
export function stillHeld(
  mode: 'pause' | 'stop',
  container: FrozenContainer,
  facts: ContainerFacts | undefined,
): string | undefined {
  if (facts === undefined) return `container ${container.name} was removed`;
  if (facts.startedAt !== container.startedAt) return `container ${container.name} was started again`;
  const still = mode === 'pause' ? facts.state === 'paused' : facts.state === 'exited';
  return still ? undefined : `container ${container.name} is ${facts.state}`;
}

/**
 * Same containers, same start, still paused or stopped, nobody else writes to the volumes, the guard has not fired and
 * the budget has not run out. Throws FreezeBroken or FreezeOverBudget.
 */
export async function proveUnbroken(
  docker: DockerHost,
  stateDirectory: string,
  intent: FreezeIntent,
  watched: {
    readonly beganMonotonicMs: number;
    readonly elapsedMs: number;
    readonly broken: () => string | undefined;
    readonly awakened: () => readonly string[];
  },
): Promise<void> {
  const { elapsedMs } = watched;
  if (elapsedMs > intent.budgetSeconds * 1000) {
    throw new HoldfastError(
      'FreezeOverBudget',
      `The freeze lasted ${(elapsedMs / 1000).toFixed(1)} s; its budget is ${intent.budgetSeconds} s`,
    );
  }
  const [held] = await Promise.all([
    Promise.all(
      intent.containers.map(async (container) => stillHeld(intent.mode, container, await docker.inspect(container.id))),
    ),
    drain(),
  ]);
  const strangers = await Promise.all(watched.awakened().map((id) => writesMeanwhile(docker, intent, id)));
  // Last, so that a guard that fires during the looks above is seen: it marks before it touches.
  const fired = await readFired(stateDirectory, intent.freezeId, watched.beganMonotonicMs);
  if (fired !== undefined) {
    throw new HoldfastError('FreezeOverBudget', `The guard released the freeze at ${fired.at}: ${fired.why}`);
  }
  const reason =
    held.find((found) => found !== undefined) ?? strangers.find((found) => found !== undefined) ?? watched.broken();
  if (reason !== undefined) throw new HoldfastError('FreezeBroken', `The freeze was broken: ${reason}`);
}

async function writesMeanwhile(docker: DockerHost, intent: FreezeIntent, id: string): Promise<string | undefined> {
  const facts = await docker.inspect(id);
  const volume = intent.volumes.find((name) => facts?.writes.includes(name));
  return volume === undefined ? undefined : `container ${facts?.name ?? id} was unpaused and writes to ${volume}`;
}
