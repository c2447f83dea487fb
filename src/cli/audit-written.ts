/** An engine that ends with its command must not end before what happened is in the audit log. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../engine/connect.ts';
import { SEARCH_ATTRIBUTES, WORKFLOWS } from '../workflows/contract.ts';
import type { Shell } from './shell.ts';

/** A store that was restored from answers; one that can be read only must not hold up who is in trouble. */
const LIMIT_MS = 30_000;
const LOOK_EVERY_MS = 250;

/** Waits for what is still being written of this system, and says so when it can't be: the engine keeps it. */
export async function waitForAudit(shell: Shell, engine: Engine, system: string): Promise<void> {
  const until = Date.now() + LIMIT_MS;
  const query = `WorkflowType = '${WORKFLOWS.audit}' AND ${SEARCH_ATTRIBUTES.system} = '${system}' AND ExecutionStatus = 'Running'`;
  do {
    // The list of workflows lags behind what runs by moments.
    await sleep(LOOK_EVERY_MS);
    const { count } = await engine.client.workflow.count(query);
    if (count === 0) return;
  } while (Date.now() < until);
  shell.say('the audit log could not be written yet: it is when the next engine starts in this state directory');
}
