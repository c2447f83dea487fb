/**
 * Holding containers still while their data is read, so that it is always released and never believed without proof.
 *
 * Order: the intent is durable, the engine is listened to, then containers are touched. After reading, `prove` looks
 * whether the freeze was unbroken; `release` follows in any case. The guard does it when this process cannot.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { HoldfastError } from '../failures.ts';
import type { FreezeRecord } from '../vault/types.ts';
import { answered } from './errors.ts';
import { monotonicMs, readFired, readJournal, removeJournal, writeJournal } from './freeze-journal.ts';
import type { FiredMark, FreezeJournal } from './freeze-journal.ts';
import { proveUnbroken } from './freeze-prove.ts';
import { releaseContainers } from './freeze-release.ts';
import { watchFreeze } from './freeze-watch.ts';
import type { FreezeWatch } from './freeze-watch.ts';
import { ownIdentity } from './process-identity.ts';
import type { DockerHost, FreezeIntent, GuardLease, HeldFreeze } from './types.ts';

export interface FreezeOptions {
  readonly docker: DockerHost;
  readonly stateDirectory: string;
  /** From `ensureGuard(stateDirectory)`: nothing is frozen that no guard bounds. */
  readonly guard: GuardLease;
  readonly signal: AbortSignal;
  readonly onTrouble?: (message: string) => void;
  /** Told why when nothing of it may be started again here. */
  readonly onRefused?: (why: string) => void;
  /** For I/O that was handed to the kernel before the freeze. Default 10 ms. */
  readonly settleMs?: number;
}

const DEFAULT_SETTLE_MS = 10;

class Freeze implements HeldFreeze {
  readonly intent: FreezeIntent;
  startedAtMs = 0;
  readonly signal: AbortSignal;
  private readonly options: FreezeOptions;
  private readonly limit = new AbortController();
  private journal: FreezeJournal;
  private watch: FreezeWatch | undefined;
  private timer: NodeJS.Timeout | undefined;
  private beganMs = 0;
  private allAnswered = true;
  private proved = false;
  private ending: Promise<FreezeRecord> | undefined;

  constructor(intent: FreezeIntent, options: FreezeOptions) {
    this.intent = intent;
    this.options = options;
    this.signal = AbortSignal.any([options.signal, this.limit.signal]);
    this.journal = {
      format: 1,
      intent,
      worker: ownIdentity(),
      beganAtMs: Date.now(),
      beganMonotonicMs: monotonicMs(),
      touchedAtMs: {},
      notOurs: [],
      released: [],
    };
  }

  /** From here on `release` has to be called, whatever happens. */
  async begin(): Promise<void> {
    this.watch = await watchFreeze(this.options.docker, this.intent);
    const levels = [...new Set(this.intent.containers.map((container) => container.level))].sort((a, b) => a - b);
    for (const [index, level] of levels.entries()) {
      await this.touchLevel(level, index === 0);
    }
    if (levels.length === 0) await this.markTouched([], true);
    await sleep(this.options.settleMs ?? DEFAULT_SETTLE_MS);
    this.signal.throwIfAborted();
  }

  private async touchLevel(level: number, first: boolean): Promise<void> {
    const containers = this.intent.containers.filter((container) => container.level === level);
    await this.markTouched(
      containers.map((container) => container.id),
      first,
    );
    this.signal.throwIfAborted();
    if (!first && (await this.fired()) !== undefined) {
      throw new HoldfastError('FreezeOverBudget', `Stopping took longer than ${this.intent.budgetSeconds} s`);
    }
    const { docker } = this.options;
    const calls = containers.map((container) =>
      this.intent.mode === 'pause' ? docker.pause(container.id) : docker.stop(container.id, container.stopSeconds),
    );
    const outcomes = await Promise.allSettled(calls);
    await this.judgeTouch(containers, outcomes);
  }

  /** The guard's clock starts with the first touch; a container's own entry says when it was about to be touched. */
  private async markTouched(ids: readonly string[], first: boolean): Promise<void> {
    const nowMs = Date.now();
    if (first) {
      this.beganMs = monotonicMs();
      this.startedAtMs = nowMs;
      this.journal = { ...this.journal, beganAtMs: nowMs, beganMonotonicMs: this.beganMs };
    }
    const touchedAtMs = { ...this.journal.touchedAtMs, ...Object.fromEntries(ids.map((id) => [id, nowMs])) };
    this.journal = { ...this.journal, touchedAtMs };
    await writeJournal(this.options.stateDirectory, this.journal);
    if (!first) return;
    // Writing may take its time on a busy disk; what counts as downtime starts after it.
    this.beganMs = monotonicMs();
    this.startedAtMs = Date.now();
    this.startLimit();
  }

  private startLimit(): void {
    const budgetMs = this.intent.budgetSeconds * 1000;
    const marginMs = Math.min(1000, budgetMs * 0.1);
    this.timer = setTimeout(() => {
      const seconds = this.intent.budgetSeconds;
      this.limit.abort(new HoldfastError('FreezeOverBudget', `The freeze came near its limit of ${seconds} s`));
    }, budgetMs - marginMs);
    this.timer.unref();
  }

  private async judgeTouch(
    containers: FreezeIntent['containers'],
    outcomes: readonly PromiseSettledResult<void>[],
  ): Promise<void> {
    const failures: unknown[] = [];
    const notOurs: string[] = [];
    outcomes.forEach((outcome, index) => {
      const container = containers[index];
      if (outcome.status === 'fulfilled' || container === undefined) return;
      const reason: unknown = outcome.reason;
      failures.push(reason);
      if (alreadyPaused(reason)) notOurs.push(container.id);
      else if (!answered(reason, 404)) this.allAnswered = false;
    });
    if (notOurs.length > 0) {
      this.journal = { ...this.journal, notOurs: [...this.journal.notOurs, ...notOurs] };
      await writeJournal(this.options.stateDirectory, this.journal);
    }
    const [first] = failures;
    if (first === undefined) return;
    if (notOurs.length > 0 || answered(first, 404)) {
      throw new HoldfastError('FreezeBroken', `Somebody else changed a container meanwhile: ${messageOf(first)}`, {
        cause: first,
      });
    }
    throw first instanceof Error ? first : new HoldfastError('Internal', messageOf(first));
  }

  private fired(): Promise<FiredMark | undefined> {
    return readFired(this.options.stateDirectory, this.intent.freezeId, this.journal.beganMonotonicMs);
  }

  async prove(): Promise<void> {
    const { docker, stateDirectory } = this.options;
    await proveUnbroken(docker, stateDirectory, this.intent, {
      beganMonotonicMs: this.journal.beganMonotonicMs,
      elapsedMs: monotonicMs() - this.beganMs,
      broken: () => this.watch?.broken(),
      awakened: () => this.watch?.awakened() ?? [],
    });
    this.proved = true;
  }

  release(): Promise<FreezeRecord> {
    this.ending ??= this.releaseAll();
    return this.ending;
  }

  /** Not cancellable: what was stopped is started, whatever else ends. */
  private async releaseAll(): Promise<FreezeRecord> {
    clearTimeout(this.timer);
    const { docker, stateDirectory, onTrouble, onRefused } = this.options;
    const { freezeId } = this.intent;
    const trouble = (doing: string) => (error: unknown) => {
      onTrouble?.(`${doing}: ${messageOf(error)}`);
      return undefined;
    };
    // A disk that fails must not keep containers still.
    const fired = await this.fired().catch(trouble('read what the guard did'));
    const journal = { ...this.journal, released: [...this.journal.released, ...(fired?.released ?? [])] };
    await releaseContainers(docker, journal, {
      quiet: this.allAnswered,
      known: this.proved && fired === undefined && this.watch?.broken() === undefined,
      ...(onTrouble === undefined ? {} : { onTrouble }),
      ...(onRefused === undefined ? {} : { onRefused }),
    });
    const endMs = fired?.doneMonotonicMs ?? monotonicMs();
    this.watch?.stop();
    // Left behind, the journal costs nothing: the guard or the next worker finds that nothing is held, and removes it.
    await removeJournal(stateDirectory, freezeId).catch(trouble('remove the journal'));
    this.options.guard.close();
    return {
      mode: this.intent.mode,
      containers: this.intent.containers.map((container) => container.name),
      startedAt: new Date(this.startedAtMs).toISOString(),
      downtimeMs: this.beganMs === 0 ? 0 : Math.max(0, Math.round(endMs - this.beganMs)),
    };
  }
}

/**
 * Resolves with everything held still. When it rejects, nothing is held any more: what had been touched was released
 * first. The guard's lease is closed with the freeze. A freeze of this id that an earlier attempt left must have been
 * released first (`releaseFreeze`); otherwise this throws HostBusy.
 */
export async function beginFreeze(intent: FreezeIntent, options: FreezeOptions): Promise<HeldFreeze> {
  options.signal.throwIfAborted();
  if ((await readJournal(options.stateDirectory, intent.freezeId)) !== undefined) {
    throw new HoldfastError('HostBusy', `The freeze ${intent.freezeId} of an earlier attempt is still held`);
  }
  const freeze = new Freeze(intent, options);
  try {
    await freeze.begin();
    return freeze;
  } catch (error) {
    await freeze.release();
    throw error;
  }
}

function alreadyPaused(error: unknown): boolean {
  return answered(error, 409) || (error instanceof HoldfastError && /already paused/i.test(error.message));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
