/** The registered systems, each watched by itself: one whose store or host hangs keeps no other waiting. */
import { log } from '../../observe/log.ts';
import { tell } from '../../observe/told.ts';
import { knownSystems, type Registered } from '../../system/last-good.ts';
import type { Knowledge } from '../facts.ts';
import { Bell } from './bell.ts';
import { registerPauseMs } from './pauses.ts';
import { SystemWatch, type Around } from './system-watch.ts';

interface Watched {
  readonly watch: SystemWatch;
  readonly ended: Promise<void>;
}

const logger = log('page');

export class StoresWatch {
  private readonly watched = new Map<string, Watched>();
  private readonly bell = new Bell();
  private readonly around: Around;
  private readonly publish: (known: Omit<Knowledge, 'engine'>) => void;
  private stopped = false;
  private readAtMs: number | undefined;
  private complete = false;
  private failure: Knowledge['failure'];

  /** `publish` is given all that is known, whenever there is something new. */
  constructor(around: Around, publish: (known: Omit<Knowledge, 'engine'>) => void) {
    this.around = around;
    this.publish = publish;
  }

  /** Until it is stopped: the register is read again and again, and each system in it looked at. */
  async run(): Promise<void> {
    while (!this.stopped) {
      this.bell.begin();
      await this.readRegister();
      await this.bell.wait(registerPauseMs(this.around.idleMs()));
    }
    for (const { watch } of this.watched.values()) watch.stop();
    await Promise.all([...this.watched.values()].map(({ ended }) => ended));
  }

  stop(): void {
    this.stopped = true;
    this.bell.ring();
  }

  /** Somebody waits for what is true now. */
  ring(): void {
    this.bell.ring();
    for (const { watch } of this.watched.values()) watch.ring();
  }

  hearNews(): void {
    for (const { watch } of this.watched.values()) watch.hearNews();
  }

  private async readRegister(): Promise<void> {
    try {
      const registered = await knownSystems();
      for (const [name, { watch }] of this.watched) {
        if (registered.some((one) => one.name === name)) continue;
        watch.stop();
        this.watched.delete(name);
      }
      for (const one of registered) this.follow(one);
      this.failure = undefined;
      this.readAtMs = Date.now();
    } catch (error) {
      logger.warn({ why: tell(error).message }, 'the systems could not be looked at');
      this.failure = tell(error);
    }
    this.tellAll();
  }

  private follow(registered: Registered): void {
    const known = this.watched.get(registered.name);
    if (known !== undefined) {
      known.watch.update(registered);
      return;
    }
    const watch = new SystemWatch(registered, this.around);
    const ended = watch.run(() => {
      if (this.watched.get(registered.name)?.watch === watch) this.tellAll();
    });
    this.watched.set(registered.name, { watch, ended });
  }

  private tellAll(): void {
    const systems = [...this.watched.values()]
      .map(({ watch }) => watch.facts)
      .toSorted((a, b) => a.name.localeCompare(b.name, 'en'));
    // A part of them would be taken for all.
    this.complete ||=
      this.readAtMs !== undefined &&
      systems.every(({ lookedAtMs, failure }) => lookedAtMs !== undefined || failure !== undefined);
    const { complete, readAtMs, failure } = this;
    this.publish({
      systems,
      ...(complete && readAtMs !== undefined ? { lookedAtMs: readAtMs } : {}),
      ...(failure === undefined ? {} : { failure }),
    });
  }
}
