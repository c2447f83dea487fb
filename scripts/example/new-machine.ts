/** A machine that is lost with Holdfast on it, and the next one. */
import { mkdir, rm } from 'node:fs/promises';
import type { Stage } from './example.ts';

/** Ends Holdfast and removes everything of it that lay on the machine: engine, keys, journals, the system file. */
export async function newMachine({ running }: Stage): Promise<void> {
  const { up, home, systemFile } = running;
  if (up === undefined || home === undefined || systemFile === undefined) throw new Error('Holdfast does not run yet');
  await up.stop();
  await rm(home, { recursive: true });
  await rm(systemFile);
  await mkdir(home);
}
