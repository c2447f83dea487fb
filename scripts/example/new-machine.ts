/** A machine that is lost with everything on it, and the next one. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeProject } from '../../sample/stack/project.ts';
import type { Client } from './client.ts';
import type { Disaster, Objective, Stage } from './example.ts';
import { rootOf } from './stack.ts';
import type { Stack } from './stack.ts';

/** Ends Holdfast and removes everything of it that lay on the machine: engine, keys, journals, the system file. */
async function loseHoldfast({ running }: Stage): Promise<void> {
  const { up, home, systemFile } = running;
  if (up === undefined || home === undefined || systemFile === undefined) throw new Error('Holdfast does not run yet');
  await up.stop();
  await rm(home, { recursive: true });
  await rm(systemFile);
  await mkdir(home);
}

export interface LostMachine {
  readonly stage: Stage;
  readonly stack: Stack;
  readonly client: Client;
  /** As break glass names the store. */
  readonly storeUrl: string;
  /** What is backed up in between. */
  readonly plan: string;
  readonly rows: readonly string[];
  readonly objective: Objective;
  readonly check: () => Promise<string>;
}

/** Nothing but the store and the recovery kit is left; one command brings the system back. The last thing that can happen. */
export function machineGone({ stage, stack, client, storeUrl, plan, rows, objective, check }: LostMachine): Disaster {
  return {
    name: 'new-server',
    title: 'The machine is gone; there is a new one, the bucket, and the recovery kit',
    rows,
    objective,
    plans: [plan],
    async break() {
      await loseHoldfast(stage);
      await removeProject(stack.docker, stack.project);
      for (const name of await readdir(rootOf(stage))) await rm(join(rootOf(stage), name), { recursive: true });
      await mkdir(stack.directory, { recursive: true });
      return 'no engine, no keys, no containers, no volume, no file is left';
    },
    seen: () => client.trouble(),
    async bringBack(operator) {
      await operator.breakGlass(storeUrl, join(stage.directory, 'recovery-kit.txt'));
    },
    check,
  };
}
