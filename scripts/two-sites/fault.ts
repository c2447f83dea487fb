/** What can happen to two sites while one takes the system over from the other. Each is struck once, and mended at the end. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FailoverPlan, FailoverResult } from '../../src/workflows/contract.ts';
import type { Bed } from './bed.ts';
import type { Answer } from './operator.ts';
import type { Site } from './site.ts';
import type { Steps } from './steps.ts';

export interface Struck {
  readonly bed: Bed;
  readonly active: Site;
  readonly standby: Site;
  /** From 0 to 1, by the seed: when, within the time that a failover takes. */
  readonly part: number;
  /** The piece of work at which it strikes, for what strikes at one. */
  readonly step: string;
  /** What the failover and its restore have come to. */
  readonly steps: Steps;
  /** What is done when the round has ended, whatever came of it. */
  readonly atEnd: (() => Promise<void> | void)[];
  /** Aborted when the failover has ended: what goes on in the background ends, too. */
  readonly signal: AbortSignal;
}

/** Who is active then, and by which answer. */
export interface Ending {
  readonly result: FailoverResult;
  readonly now: Site;
}

export interface Fault {
  readonly name: string;
  /** Before anybody looks whether the active site is down. */
  before(struck: Struck): Promise<void>;
  /** While the failover runs. */
  during?(struck: Struck): Promise<void>;
  /** The active site answers: then it has to stay what it is. One that answers at times may be taken over, or left. */
  readonly isUp?: 'always' | 'at times';
  /** The machine stops without being told, so that what ran goes on for a moment when it wakes: measured, and no fault. */
  readonly sleeps?: true;
  /** A round of it takes minutes: `npm test` leaves it to `npm run proof`. */
  readonly long?: true;
  /** It strikes at a piece of work, which the seed chooses. */
  readonly atStep?: true;
  /** Of these, in the order of the work. Default: those of a failover and its restore. */
  readonly steps?: readonly string[];
  /** The site before is there and stops first: nothing at all may be missing. */
  readonly lossless?: true;
  /** What the person says who is asked. Default: yes. */
  answer?(struck: Struck, plan: FailoverPlan): Promise<Answer> | Answer;
  /** How the system is taken over, where it is not one operator at the standby who asks until it is done. */
  takeOver?(struck: Struck): Promise<Ending>;
  /** What else has to be true, before anything is mended. */
  after?(struck: Struck, ending: Ending): Promise<void>;
}

/** A failover takes about so long here. */
export const SPAN_MS = 15_000;
/** A piece of work is struck when it was handed out just now, or up to so much later. */
const LATER_MS = 300;

type Strike = (struck: Struck) => Promise<void> | void;

export async function isolated({ bed: { net }, active, standby }: Pick<Struck, 'bed' | 'active' | 'standby'>) {
  for (const other of [standby.name, 'witness', 'world']) await net.cut(active.name, other);
}

export async function powerOff({ bed, active }: Pick<Struck, 'bed' | 'active'>): Promise<void> {
  const watch = bed.watchOf(active);
  watch.leave();
  await active.powerOff();
  watch.everythingEnded();
}

/** Struck at some moment while the other site takes over. */
export function midway(strike: Strike) {
  return async (struck: Struck): Promise<void> => {
    await pause(struck.part * SPAN_MS, struck.signal);
    await strike(struck);
  };
}

/** Struck when that piece of work has been handed out. Throws when it never was. */
export function atStep(strike: Strike) {
  return async (struck: Struck): Promise<void> => {
    const { step, steps, signal, part } = struck;
    const over = Promise.withResolvers<undefined>();
    signal.addEventListener('abort', () => over.resolve(undefined), { once: true });
    await Promise.race([steps.next(step), over.promise]);
    if (!steps.begun.includes(step)) throw new Error(`it was to be struck at ${step}, which never came`);
    await pause(part * LATER_MS, signal);
    await strike(struck);
  };
}

export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

export function kill(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself: there is nothing to strike.
  }
}
