/** What a command has done by itself, without an operation of the engine, goes to the audit log from here. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { HoldfastError } from '../failures.ts';
import { OWN_CLIENT } from '../policy/askers.ts';
import { stateDirectory } from '../system/home.ts';
import type { System } from '../system/types.ts';
import { writeAudit } from '../vault/audit/write.ts';
import { whoAmI } from './names.ts';
import type { Shell } from './shell.ts';

export interface Done {
  readonly operation: string;
  readonly outcome: string;
  /** What was done to what. */
  readonly about: string;
  readonly why?: string;
}

/**
 * After it was done, what keeps it from the log is said, and changes no exit code. What is told `before` it is done throws
 * when no store takes it, so that it is not done.
 */
export async function tellAudit(
  shell: Shell,
  system: System,
  done: Done,
  when: 'before' | 'after' = 'after',
): Promise<void> {
  const by = await whoAmI();
  const at = new Date().toISOString();
  const client = { by, from: hostname(), identity: `${OWN_CLIENT}:${by}` };
  const event = { id: randomUUID(), what: 'done', at, ...done, ...client } as const;
  try {
    const { lacking } = await writeAudit(system, event, { directory: stateDirectory(system.name), ownKey: true });
    for (const { store, why } of lacking) shell.say(`${store} gets this record of the audit log later: ${why}`);
  } catch (error) {
    if (when === 'before' || !(error instanceof HoldfastError)) throw error;
    shell.say(`this is not in the audit log: ${error.message}`);
  }
}
