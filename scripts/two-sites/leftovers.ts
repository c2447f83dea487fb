/** What a run has left that was killed itself: its machines go on without it. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { identityOf, isAlive } from '../../src/engine/process.ts';
import { Power } from './power.ts';

export const PREFIX = 'holdfast-sites-';
const OWNER = 'owner';

/** Says whose the directory of a bed is. */
export function ownBed(base: string): void {
  writeFileSync(path.join(base, OWNER), identityOf(process.pid) ?? '');
}

/** Ends and removes the beds whose owner has died. One without an owner is left alone: it may be somebody else's. */
export async function removeLeftovers(machines: readonly string[]): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((one) => one.startsWith(PREFIX))) {
    const base = path.join(tmpdir(), name);
    const file = path.join(base, OWNER);
    if (!existsSync(file)) continue;
    const owner = readFileSync(file, 'utf8');
    if (owner === '' || isAlive(owner)) continue;
    for (const machine of machines) {
      const power = Power.found(`${name}-${machine}`);
      await power?.cut();
      power?.remove();
    }
    await rm(base, { recursive: true, force: true });
  }
}
