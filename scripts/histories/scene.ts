/** What a recorded history is made of, a world and what is done in it, and the moves that most of them share. */
import type { WorkflowHandle } from '@temporalio/client';
import type { History } from '../../test/histories/history-json.ts';
import type { Play } from '../../test/workflows/play.ts';
import { eventually, uniqueName, type Crew } from '../../test/workflows/stage.ts';
import { untilCancelled, type ActivityName, type World, type WorldOptions } from '../../test/workflows/world.ts';

export interface Scene {
  readonly name: string;
  readonly world: WorldOptions;
  act(play: Play, world: World, workers: Crew): Promise<History>;
}

export function finished(name: string, type: string, input: () => object, world: WorldOptions = {}): Scene {
  return {
    name,
    world,
    act: async (play) => {
      const handle = await play.start(type, { system: uniqueName('sys'), ...input() });
      await handle.result().catch(() => undefined);
      return handle.fetchHistory();
    },
  };
}

/** Taken while the activity runs; then the run is cancelled and waited for, so that it leaves nothing behind. */
export function openIn(
  name: string,
  type: string,
  activity: ActivityName,
  input: object,
  world: WorldOptions = {},
): Scene {
  return {
    name,
    world: { ...world, script: { ...world.script, [activity]: untilCancelled } },
    act: async (play, seen) => {
      const handle = await play.start(type, { system: uniqueName('sys'), ...input });
      await eventually(`${activity} runs`, () => seen.count(activity) > 0 || undefined);
      const history = await handle.fetchHistory();
      await ended(handle);
      return history;
    },
  };
}

export async function ended(handle: WorkflowHandle): Promise<void> {
  await handle.cancel();
  await handle.result().catch(() => undefined);
}

/** Of the world's plan of a restore. */
export const DIGEST = 'a'.repeat(64);
