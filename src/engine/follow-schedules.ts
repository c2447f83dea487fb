/**
 * The schedules of this machine's system files are kept applied: at the start, and when a file has changed. A file that
 * can't be read says nothing: what is applied stands.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../failures.ts';
import type { ScheduleChange } from '../policy/schedule-diff.ts';
import { listSystems, loadSystem } from '../system/index.ts';
import { connectEngine, type Engine } from './connect.ts';
import {
  applySchedules,
  hasChanges,
  leavingOthers,
  planAbandoned,
  planSchedules,
  type PlannedSchedules,
} from './schedules.ts';
import { filesSignature } from './system-files.ts';

export type ScheduleNews =
  | { readonly did: 'applied'; readonly system: string; readonly changes: readonly ScheduleChange[] }
  | { readonly did: 'failed'; readonly system: string; readonly error: string };

const LOOK_EVERY_MS = 3_000;

export class Schedules {
  private readonly tell: (news: ScheduleNews) => void;
  private readonly failures = new Map<string, string>();
  private seen = '';
  private readonly over = new AbortController();
  private following: Promise<void> | undefined;

  constructor(tell: (news: ScheduleNews) => void) {
    this.tell = tell;
  }

  /** Applies what every file declares. A repeat changes nothing; a bad file keeps none of the others from it. */
  async ensure(engine: Engine): Promise<void> {
    let seen = await filesSignature();
    const names = (await listSystems()).map(({ name }) => name);
    for (const system of names) {
      const settled = await this.attempt(system, async () => {
        const planned = await planSchedules(engine.client, await loadSystem(system));
        await this.apply(engine, await leavingOthers(engine, planned));
      });
      if (!settled) seen = '';
    }
    // A directory that is not mounted looks like this: then a person says whether all of it is to go (`holdfast apply`).
    const settled = await this.attempt('every system', async () => {
      if (names.length === 0) return;
      for (const abandoned of await planAbandoned(engine, names)) await this.apply(engine, abandoned);
    });
    this.seen = settled ? seen : '';
  }

  private async apply({ client }: Engine, planned: PlannedSchedules): Promise<void> {
    if (!hasChanges(planned)) return;
    await applySchedules(client, planned);
    const changes = planned.changes.filter((change) => change.do !== 'keep');
    this.tell({ did: 'applied', system: planned.system, changes });
  }

  /** False when the next look has to try again. A bad file waits for its next change. */
  private async attempt(system: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.failures.delete(system);
      return true;
    } catch (error) {
      this.over.signal.throwIfAborted();
      this.failed(system, error);
      return error instanceof HoldfastError && error.code === 'BadSystemFile';
    }
  }

  /** Once, however often it is tried again. */
  private failed(system: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (this.failures.get(system) === message) return;
    this.failures.set(system, message);
    this.tell({ did: 'failed', system, error: message });
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
      await this.attempt('every system', async () => {
        if ((await filesSignature()) === this.seen) return;
        await using engine = await connectEngine();
        await this.ensure(engine);
      });
    }
  }
}
