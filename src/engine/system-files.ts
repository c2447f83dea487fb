/**
 * What the system files of this machine say is made so: at the start, and when one of them has changed. A file that can't
 * be read says nothing: what was made of it stands.
 */
import { stat } from 'node:fs/promises';
import { HoldfastError } from '../failures.ts';
import { listSystems } from '../system/index.ts';
import { connectEngine, type Engine } from './connect.ts';
import { Repeated } from './repeated.ts';

const LOOK_EVERY_MS = 3_000;
const EVERY_SYSTEM = 'every system';

export interface Made {
  readonly ofSystem: (engine: Engine, system: string) => Promise<void>;
  /** After each of them had its turn. */
  readonly ofAll?: (engine: Engine, systems: readonly string[]) => Promise<void>;
  /** Told once, however often it is tried again. */
  readonly failed: (system: string, error: string) => void;
}

export class SystemFilesFollower {
  private readonly made: Made;
  private readonly looks: Repeated;
  private readonly failures = new Map<string, string>();
  private seen = '';

  constructor(made: Made) {
    this.made = made;
    this.looks = new Repeated({
      firstAfterMs: LOOK_EVERY_MS,
      everyMs: LOOK_EVERY_MS,
      turn: () => this.look(),
      failed: (error) => this.failed(EVERY_SYSTEM, error),
    });
  }

  /** A repeat changes nothing that is so already; a bad file keeps none of the others from it. */
  async ensure(engine: Engine): Promise<void> {
    const seen = await filesSignature();
    const systems = (await listSystems()).map(({ name }) => name);
    let settled = true;
    for (const system of systems) {
      settled = (await this.attempt(system, () => this.made.ofSystem(engine, system))) && settled;
    }
    settled =
      (await this.attempt(EVERY_SYSTEM, async () => {
        await this.made.ofAll?.(engine, systems);
      })) && settled;
    this.seen = settled ? seen : '';
  }

  /** Looks every few seconds whether a system file has changed, until `stop`. */
  follow(): void {
    this.looks.start();
  }

  async stop(): Promise<void> {
    await this.looks.stop();
  }

  private async look(): Promise<void> {
    if ((await filesSignature()) === this.seen) return;
    await using engine = await connectEngine();
    await this.ensure(engine);
  }

  /** False when the next look has to try again. A bad file waits for its next change. */
  private async attempt(system: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.failures.delete(system);
      return true;
    } catch (error) {
      this.looks.signal.throwIfAborted();
      this.failed(system, error);
      return error instanceof HoldfastError && error.code === 'BadSystemFile';
    }
  }

  private failed(system: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (this.failures.get(system) === message) return;
    this.failures.set(system, message);
    this.made.failed(system, message);
  }
}

/** What is registered, and when each file was written last: another text when anything of that has changed. */
async function filesSignature(): Promise<string> {
  const systems = await listSystems();
  const facts = systems.map(async ({ name, path = '' }) => {
    const found = await stat(path).catch(() => undefined);
    return [name, path, found?.mtimeMs, found?.size, found?.ino].join(' ');
  });
  return (await Promise.all(facts)).join('\n');
}
