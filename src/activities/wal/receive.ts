/** One turn of receiving a log by a replication slot: the stream, and beside it a watch over what the slot holds back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../../failures.ts';
import { formatLsn } from '../../policy/lsn.ts';
import { judgeSlot, judgeTrouble, type WalAlarm } from '../../policy/wal-alarm.ts';
import { openPostgres } from '../../postgres/open.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { PostgresBaseComponent, System } from '../../system/types.ts';
import type { PostgresWal } from '../../system/postgres-types.ts';
import { present } from '../../system/present.ts';
import type { HostContext } from '../host-context.ts';
import { componentOf } from '../host-context.ts';
import type { Run } from '../shell.ts';
import type { WalTurn, WalTurnInput } from '../types.ts';
import { diskOf, ServerWatch } from './server-watch.ts';
import { streamOnce, type StreamSight } from './stream.ts';
import { sameAlarm, Troubles } from './turn.ts';

/** A turn ends after this time: its history stays short, and a changed system file is read. */
export const TURN_MS = 4 * 3600 * 1000;
const WATCH_EVERY_MS = 3_000;
/** A server that restarts or a store that hiccups is no alarm. */
const GRACE_ROUNDS = 12;
const LEAST_GRACE_MS = 60_000;
const DROP_TRIES = 20;
const DROP_PAUSE_MS = 500;

/** Throws BadInput when the system file has no such log. */
export function walOf(
  system: System,
  name: string,
): { readonly component: PostgresBaseComponent; readonly wal: PostgresWal } {
  const component = componentOf(system, name);
  if (component.kind === 'postgres' && component.method === 'base' && component.wal !== undefined) {
    return { component, wal: component.wal };
  }
  throw new HoldfastError('BadInput', `${name} of ${system.name} has no write-ahead log to receive`);
}

export async function receiveWal(context: HostContext, input: WalTurnInput, run: Run): Promise<WalTurn> {
  const system = await context.system(input.system);
  const { component, wal } = walOf(system, input.component);
  const access = await openPostgres(component.server, 'backup', { docker: () => context.docker() });
  try {
    return await new Receiver({ context, system, component, wal, access, input, run }).turn();
  } finally {
    await access.close();
  }
}

interface Parts {
  readonly context: HostContext;
  readonly system: System;
  readonly component: PostgresBaseComponent;
  readonly wal: PostgresWal;
  readonly access: PostgresAccess;
  readonly input: WalTurnInput;
  readonly run: Run;
}

class Receiver {
  private readonly the: Parts;
  private readonly over = new AbortController();
  /** Ends the stream alone, so that its slot can be dropped. */
  private readonly streaming = new AbortController();
  private readonly signal: AbortSignal;
  private readonly watch: ServerWatch;
  private readonly troubles = new Troubles();
  private readonly sight: StreamSight = {};
  private runs = false;

  constructor(parts: Parts) {
    this.the = parts;
    this.signal = AbortSignal.any([parts.run.signal, this.over.signal]);
    this.watch = new ServerWatch(parts.access, parts.wal.slot, this.signal);
  }

  /** Whatever ends it first decides; the other parts have ended when this resolves. */
  async turn(): Promise<WalTurn> {
    const receiving = this.receive();
    const watching = this.watchOver(receiving);
    const received = receiving.catch((error: unknown) => {
      // Ended by the watch, which says why.
      if (this.streaming.signal.aborted) return watching;
      throw error;
    });
    const parts = [received, watching, this.timeIsOver()];
    try {
      return await Promise.race(parts);
    } finally {
      this.over.abort();
      await Promise.allSettled(parts);
      await this.watch.close();
    }
  }

  private async timeIsOver(): Promise<WalTurn> {
    await sleep(TURN_MS, undefined, { signal: this.signal });
    return { kind: 'over' };
  }

  private async receive(): Promise<WalTurn> {
    const { context, system, component, wal, access, input, run } = this.the;
    const signal = AbortSignal.any([this.signal, this.streaming.signal]);
    for (;;) {
      try {
        const where = { store: wal.store, component: component.name };
        const turn = await context.withWalWriter(system, where, async (writer) => {
          const { slot, everySeconds } = wal;
          const say = (text: string): void => run.log.info({ component: component.name }, text);
          const onRunning = (): void => this.running();
          const common = { access, watch: this.watch, writer, slot, everySeconds, sight: this.sight, say, onRunning };
          return streamOnce({ ...common, mark: input.mark, signal });
        });
        if (turn !== undefined) return turn;
        await sleep(200, undefined, { signal });
      } catch (error) {
        signal.throwIfAborted();
        this.runs = false;
        await sleep(this.troubles.add(error), undefined, { signal });
      }
    }
  }

  private running(): void {
    this.runs = true;
    this.troubles.over();
  }

  /** The live server comes first: this goes on whatever has become of the stream or the store. */
  private async watchOver(receiving: Promise<WalTurn>): Promise<WalTurn> {
    const { wal, component, input, run } = this.the;
    const looking = new Troubles();
    const graceMs = Math.max(LEAST_GRACE_MS, wal.everySeconds * GRACE_ROUNDS * 1000);
    for (;;) {
      let alarm: WalAlarm | undefined;
      try {
        const { heldBackBytes, slot } = await this.watch.look();
        looking.over();
        const disk = await diskOf(component.dataDirectory);
        const facts = {
          slot: wal.slot,
          heldBackBytes,
          boundBytes: wal.slotBoundBytes,
          walStatus: slot.walStatus,
          disk,
        };
        const judged = judgeSlot(facts, input.alarm);
        if (judged.drop) return { kind: 'alarm', alarm: await this.letGo(judged.alarm, receiving) };
        alarm = judged.alarm;
      } catch (error) {
        this.signal.throwIfAborted();
        looking.add(error);
      }
      alarm ??= judgeTrouble(this.troubles.current ?? looking.current, Date.now(), graceMs);
      // Until it streams again nothing is better than it was; and that a slot was dropped says more than what followed.
      if (!this.runs && (alarm === undefined || input.alarm?.what === 'bound')) alarm = input.alarm;
      this.report(looking);
      if (!sameAlarm(alarm, input.alarm)) return { kind: 'alarm', ...(alarm === undefined ? {} : { alarm }) };
      await sleep(Math.min(WATCH_EVERY_MS, wal.everySeconds * 1000), undefined, { signal: this.signal });
      if (run.signal.aborted) throw run.signal.reason;
    }
  }

  /** Drops the slot before the server's disk is full. What was not received by then may be lost, and is looked for next. */
  private async letGo(alarm: WalAlarm | undefined, receiving: Promise<WalTurn>): Promise<WalAlarm> {
    const { wal, run } = this.the;
    const why = alarm?.message ?? 'its bound was reached';
    run.log.error({ slot: wal.slot }, `the slot is dropped: ${why}`);
    this.streaming.abort();
    await receiving.catch(() => undefined);
    for (let tries = 1; !(await this.watch.dropSlot()); tries += 1) {
      if (tries >= DROP_TRIES) {
        throw new HoldfastError('PostgresConflict', `the slot ${wal.slot} has to go and somebody else uses it`, {
          hint: `End its user (pg_stat_replication) and drop it: SELECT pg_drop_replication_slot('${wal.slot}').`,
        });
      }
      await sleep(DROP_PAUSE_MS, undefined, { signal: this.signal });
    }
    return { what: 'bound', message: `the slot was dropped, because ${why}; a new base backup follows` };
  }

  private report(looking: Troubles): void {
    const { sight, the, watch } = this;
    const { latest } = watch;
    const trouble = this.troubles.current ?? looking.current;
    const text = (lsn: bigint | undefined) => (lsn === undefined ? undefined : formatLsn(lsn));
    const point = sight.recoveryPointMs;
    the.run.report({
      phase: trouble === undefined ? (this.runs ? 'receiving' : 'connecting') : `waiting: ${trouble.message}`,
      wal: present({
        timeline: sight.timeline,
        serverLsn: text(latest?.lsn),
        receivedLsn: text(sight.received),
        storedLsn: text(sight.stored),
        recoveryPointAt: point === undefined ? undefined : new Date(point).toISOString(),
        heldBackBytes: latest?.heldBackBytes,
        boundBytes: the.wal.slotBoundBytes,
        trouble: trouble?.message,
      }),
    });
  }
}
