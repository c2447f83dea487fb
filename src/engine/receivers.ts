/**
 * What the system files ask for and what runs for ever: write-ahead logs are received, files of plans that run on change
 * are watched. What does not run yet is started, and what a changed file says otherwise, or no more, is told to it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { HoldfastError } from '../failures.ts';
import { listSystems, loadSystem } from '../system/index.ts';
import { ORCHESTRATION_QUEUE } from '../task-queues.ts';
import { SIGNALS } from '../workflows/contract.ts';
import { connectEngine } from './connect.ts';
import { STANDING_TYPES, standingOf, type Standing } from './standing.ts';
import { filesSignature } from './system-files.ts';

export interface ReceiverStart {
  readonly workflowId: string;
  /** `told`: its system file says something else now, or asks for no log any more. */
  readonly did: 'started' | 'goes on' | 'told' | 'failed';
  /** Why it could not be started, or why a system file could not be read. */
  readonly error?: string;
}

const LOOK_EVERY_MS = 3_000;

/** What the files of this machine ask for. A file that can't be read says nothing: what was known of it stands. */
export class Receivers {
  private readonly hosts: readonly string[];
  private readonly tell: (start: ReceiverStart) => void;
  /** What each of them was begun with, by workflow id, by system. */
  private readonly known = new Map<string, ReadonlyMap<string, string>>();
  private readonly failures = new Map<string, string>();
  private seen = '';
  private readonly over = new AbortController();
  private following: Promise<void> | undefined;

  constructor(hosts: readonly string[], tell: (start: ReceiverStart) => void) {
    this.hosts = hosts;
    this.tell = tell;
  }

  /** Starts what does not run. A repeat starts nothing twice; a bad system file keeps none of the others from it. */
  async ensure(client: Client): Promise<void> {
    let seen = await filesSignature();
    for (const { name } of await listSystems()) {
      try {
        await this.ensureSystem(client, name);
        this.failures.delete(name);
      } catch (error) {
        this.failed(name, error);
        // A bad file waits for its next change; anything else is tried again by the next look.
        if (!(error instanceof HoldfastError && error.code === 'BadSystemFile')) seen = '';
      }
    }
    this.seen = seen;
  }

  /** Once, however often it is tried again. */
  private failed(system: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (this.failures.get(system) === message) return;
    this.failures.set(system, message);
    this.tell({ workflowId: system, did: 'failed', error: message });
  }

  /** Looks every few seconds whether a system file has changed, until `stop`. */
  follow(): void {
    this.following ??= this.lookOut().catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.over.abort();
    await this.following;
  }

  private async lookOut(): Promise<void> {
    for (;;) {
      await sleep(LOOK_EVERY_MS, undefined, { signal: this.over.signal });
      try {
        if ((await filesSignature()) === this.seen) continue;
        await using engine = await connectEngine();
        await this.ensure(engine.client);
      } catch (error) {
        this.over.signal.throwIfAborted();
        // The next look tries again.
        this.failed('every system', error);
      }
    }
  }

  private async ensureSystem(client: Client, system: string): Promise<void> {
    const all = standingOf(await loadSystem(system));
    const wanted = all.filter(({ hosts }) => hosts.some((host) => this.hosts.includes(host)));
    const before = this.known.get(system);
    for (const one of wanted) {
      const { workflowId, settings } = one;
      const did = await start(client, one);
      const changed = before?.has(workflowId) === true && before.get(workflowId) !== settings;
      if (did === 'goes on' && changed) await this.lookAgain(client, workflowId);
      else if (did === 'started' || before === undefined || !before.has(workflowId)) this.tell({ workflowId, did });
    }
    const gone = before === undefined ? await runningOf(client, system) : [...before.keys()];
    for (const workflowId of gone.filter((id) => !all.some((one) => one.workflowId === id)))
      await this.lookAgain(client, workflowId);
    this.known.set(system, new Map(wanted.map(({ workflowId, settings }) => [workflowId, settings])));
  }

  private async lookAgain(client: Client, workflowId: string): Promise<void> {
    try {
      await client.workflow.getHandle(workflowId).signal(SIGNALS.lookAgain);
      this.tell({ workflowId, did: 'told' });
    } catch (error) {
      // It has ended, which is as good.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }
}

/** Those that a file asked for which was changed while nobody looked. */
async function runningOf(client: Client, system: string): Promise<string[]> {
  const types = STANDING_TYPES.map((type) => `"${type}"`).join(', ');
  const query = `WorkflowType IN (${types}) AND ExecutionStatus="Running"`;
  const found: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query })) {
    if (workflowId.startsWith(`${system}/`)) found.push(workflowId);
  }
  return found;
}

async function start(client: Client, { type, workflowId, input, summary }: Standing): Promise<'started' | 'goes on'> {
  try {
    const args = [input];
    await client.workflow.start(type, { taskQueue: ORCHESTRATION_QUEUE, workflowId, args, staticSummary: summary });
    return 'started';
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return 'goes on';
    throw error;
  }
}
