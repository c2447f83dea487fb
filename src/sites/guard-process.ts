/**
 * The guard of one system on one machine, as a process: it needs no engine of Holdfast, no worker and no wall clock. It says
 * what it knows in `sites/lease.json`, from which the next one of the same boot goes on.
 */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostLock } from '../docker/host-lock.ts';
import type { DockerHost } from '../docker/types.ts';
import { log } from '../observe/log.ts';
import { type Generation, stopWithinMs, type LeaseTimes, type Renewed } from '../policy/failover/lease.ts';
import type { System } from '../system/types.ts';
import { failoverOf, openAuthority, siteSigner } from './authority.ts';
import { believedBook } from './believed-book.ts';
import { bootClockMs } from './boot-clock.ts';
import { isStackHeld } from './holds.ts';
import { openingBook, type BookGiven } from './lease-book.ts';
import {
  endHandover,
  forgetLease,
  isHandedOver,
  isHeld,
  readBelieved,
  readLease,
  sitesDirectory,
  writeLease,
  type LeaseFile,
} from './site-files.ts';
import { SiteGuard, type GuardNews } from './site-guard.ts';
import { SystemStack } from './stack-handle.ts';
import { guardedUnits } from './stack-units.ts';
import { forbidStarts, StartMark } from './unit-starts.ts';

const TICK_MS = 1000;
/** A guard that ends with less than this left is not waited for: its stack is stopped at once. */
const LEAST_LEFT_MS = 10_000;

export interface GuardOf {
  readonly system: System;
  readonly host: string;
  readonly docker: DockerHost;
}

export function leaseTimesOf(system: System): LeaseTimes {
  const { leaseSeconds, stopSeconds } = failoverOf(system);
  return { leaseMs: leaseSeconds * 1000, stopMs: stopSeconds * 1000 };
}

/** The name under which one guard of a system runs on a machine. */
export function guardLockName(system: string): string {
  return `site guard ${sitesDirectory(system)}`;
}

/**
 * Runs until the signal aborts, and leaves the stack as it is: `endGuard` says what becomes of it. Throws HostBusy where a
 * guard of this system runs already.
 */
export async function runGuard({ system, host, docker }: GuardOf, signal: AbortSignal): Promise<void> {
  const lock = await hostLock(guardLockName(system.name), signal);
  const times = leaseTimesOf(system);
  const stack = new SystemStack({ system, host, docker, settled: () => isSettled(guard, system) });
  await stack.load();
  const book = believedBook(
    openingBook(() => openBook(system, host)),
    system,
  );
  const said = new Said(system, () => guard);
  const before = await readLease(system.name);
  const guard: SiteGuard = new SiteGuard({
    site: system.site,
    times,
    stack,
    book,
    clock: bootClockMs,
    wanted: () => stack.lacking && !isStackHeld(system.name),
    tell: (news) => said.tell(news),
    resumed: resumedFrom(before, system, times, await readBelieved(system.name)),
    lastUntilMs: lastUntilOf(before),
    remember: (renewed) => said.write(renewed),
  });
  await endHandover(system.name);
  try {
    const mark = guardedUnits(system, host).length === 0 ? undefined : new StartMark(system.name);
    await ticking({ guard, said, mark, system: system.name }, signal);
  } finally {
    guard.close();
    await book.close();
    await lock.release();
  }
}

interface Ticking {
  readonly guard: SiteGuard;
  readonly said: Said;
  /** Where the system has units. */
  readonly mark: StartMark | undefined;
  readonly system: string;
}

async function ticking({ guard, said, mark, system }: Ticking, signal: AbortSignal): Promise<void> {
  tellSupervisor('READY=1');
  while (!signal.aborted) {
    try {
      // Before anything is stopped: systemd would start it again.
      mark?.set((guard.heldUntilMs ?? Number.NEGATIVE_INFINITY) > bootClockMs());
    } catch (error) {
      log('site-guard').error({ err: error, system }, 'whether systemd may start the units could not be said');
    }
    guard.tick();
    said.changed();
    void learning(guard, system);
    tellSupervisor('WATCHDOG=1');
    await sleep(TICK_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Workers of this machine read the authority store, too, and may have been answered when the guard was not. */
async function learning(guard: SiteGuard, system: string): Promise<void> {
  try {
    const believed = await readBelieved(system);
    if (believed !== undefined) guard.learn(believed);
  } catch (error) {
    log('site-guard').warn({ err: error, system }, 'what this machine believes of its sites can not be read');
  }
}

function isSettled(guard: SiteGuard, system: System): boolean {
  const until = guard.heldUntilMs;
  return until !== undefined && bootClockMs() < until && !isStackHeld(system.name);
}

/**
 * A lease counts on for as long as it was granted, whatever the system file has come to say since; not when somebody on this
 * machine has read a newer generation.
 */
export function resumedFrom(
  lease: LeaseFile | undefined,
  system: System,
  { leaseMs }: LeaseTimes,
  believed: Generation | undefined,
): Renewed | undefined {
  if (!isHeld(lease) || lease.site !== system.site) return undefined;
  const isOver =
    believed !== undefined && believed.n > lease.generation && !(believed.site === lease.site && believed.cleared);
  if (isOver) return undefined;
  const newest = { n: lease.generation, site: lease.site, cleared: true };
  return { askedAtMs: lease.heldUntilMs - leaseMs, newest };
}

/** The latest until which the lease was held in this boot, as far as its file says. */
function lastUntilOf(lease: LeaseFile | undefined): number | undefined {
  const ends = [lease?.heldUntilMs, lease?.lastUntilMs].filter((end) => end !== undefined);
  return ends.length === 0 ? undefined : Math.max(...ends);
}

async function openBook(
  system: System,
  host: string,
): Promise<{ readonly given: BookGiven; readonly close: () => Promise<void> }> {
  const [authority, signer] = await Promise.all([openAuthority(system), siteSigner(system)]);
  const tell = (error: Error): void => log('site-guard').warn({ err: error, system: system.name }, 'old renewals stay');
  return {
    given: { authority, place: { site: system.site, host }, signer, tell },
    close: () => authority.store.close(),
  };
}

/** What the guard says on its machine: in the log, and in `lease.json`, one writing after the other. */
class Said {
  private readonly system: System;
  private readonly guard: () => SiteGuard;
  private words = 'it has just begun';
  private last = '';
  private writing: Promise<void> = Promise.resolve();

  constructor(system: System, guard: () => SiteGuard) {
    this.system = system;
    this.guard = guard;
  }

  tell(news: GuardNews): void {
    this.words = wordsOf(news);
    const logger = log('site-guard');
    const about = { system: this.system.name, site: this.system.site, ...news };
    if (QUIET.includes(news.kind)) logger.info(about, this.words);
    else logger.warn(about, this.words);
  }

  /** What has changed since is written in the background. */
  changed(): void {
    const state = this.state(this.guard().answer);
    if (JSON.stringify(state) === this.last) return;
    void this.write(this.guard().answer).catch((error: unknown) => {
      log('site-guard').error({ err: error, system: this.system.name }, 'what the guard knows could not be written');
    });
  }

  write(renewed: Renewed | undefined): Promise<void> {
    const state = this.state(renewed);
    const write = async (): Promise<void> => {
      await writeLease(this.system.name, state);
      this.last = JSON.stringify(state);
    };
    this.writing = this.writing.then(write, write);
    return this.writing;
  }

  private lastUntil(): { lastUntilMs?: number } {
    const { lastUntilMs } = this.guard();
    return lastUntilMs === undefined ? {} : { lastUntilMs };
  }

  private state(renewed: Renewed | undefined): Parameters<typeof writeLease>[1] {
    const { site } = this.system;
    const newest = renewed?.newest;
    const holds = newest?.site === site && newest.cleared;
    return {
      site,
      ...(holds && renewed !== undefined ? { heldUntilMs: renewed.askedAtMs + leaseTimesOf(this.system).leaseMs } : {}),
      ...this.lastUntil(),
      generation: newest?.n ?? 0,
      stack: this.guard().seen,
      told: this.words,
    };
  }
}

const QUIET: readonly GuardNews['kind'][] = ['holding', 'starting', 'stopped'];

function wordsOf(news: GuardNews): string {
  switch (news.kind) {
    case 'holding':
      return `holds the lease of generation ${news.generation}`;
    case 'starting':
      return `starts the stack under generation ${news.generation}`;
    case 'stopping':
      return `stops the stack: ${news.why}`;
    case 'stopped':
      return 'the stack is stopped';
    case 'unanswered':
      return `the authority store gave no answer: ${news.why}`;
    case 'failing':
      return `failing: ${news.why}`;
    case 'overdue':
      return 'the stack takes longer to stop than the system file says';
  }
}

/** How a guard ended: `crashed` is started again by who supervises it. */
export type GuardEnding = 'crashed' | 'ended';

/**
 * After a guard, and whatever it died of. While its lease goes on and another guard comes at once, the stack goes on; else it
 * is stopped, and `lease.json` says so first. Throws HostBusy where a guard runs, and when something of the stack still does.
 */
export async function endGuard(of: GuardOf, ending: GuardEnding, signal: AbortSignal): Promise<'goes on' | 'stopped'> {
  const lock = await hostLock(guardLockName(of.system.name), signal);
  try {
    return await endedAs(of, ending, signal);
  } finally {
    await lock.release();
  }
}

async function endedAs(
  { system, host, docker }: GuardOf,
  ending: GuardEnding,
  signal: AbortSignal,
): Promise<'goes on' | 'stopped'> {
  const lease = await readLease(system.name).catch(nothingKnown);
  const comesBack = ending === 'crashed' || (await isHandedOver(system.name).catch(nothingKnown)) === true;
  const { leaseMs, stopMs } = leaseTimesOf(system);
  const leftMs = isHeld(lease) ? lease.heldUntilMs - bootClockMs() : 0;
  if (comesBack && leftMs > Math.min(LEAST_LEFT_MS, leaseMs / 3)) return 'goes on';
  const lastUntilMs = lastUntilOf(lease);
  const last = lastUntilMs === undefined ? {} : { lastUntilMs };
  const said = { site: system.site, generation: lease?.generation ?? 0, ...last };
  if (guardedUnits(system, host).length > 0) forbidStarts(system.name);
  await saidOrGone(system.name, { ...said, stack: 'unknown', told: 'the guard has ended: the stack is stopped' });
  const stack = new SystemStack({ system, host, docker, settled: () => false });
  await stack.load();
  await stack.stop(stopWithinMs(lastUntilMs, bootClockMs(), { leaseMs, stopMs }), signal);
  await saidOrGone(system.name, { ...said, stack: 'down', told: 'the guard has ended, and the stack is stopped' });
  return 'stopped';
}

/** What can't be read is no reason to let anything run. */
function nothingKnown(error: unknown): undefined {
  log('site-guard').error({ err: error }, 'what the guard has written down can not be read');
  return undefined;
}

/** A full disk must not keep a stack up. What it can't take any more is removed, so that nobody goes by a lease that was given up. */
async function saidOrGone(system: string, said: Parameters<typeof writeLease>[1]): Promise<void> {
  try {
    await writeLease(system, said);
  } catch (error) {
    log('site-guard').error({ err: error, system }, 'that the guard has ended could not be written');
    await forgetLease(system).catch((cause: unknown) => {
      log('site-guard').error({ err: cause, system }, 'its lease could not be removed');
    });
  }
}

/** sd_notify(3) by systemd's own program; where no systemd supervises this, nothing. */
function tellSupervisor(state: string): void {
  if (process.env['NOTIFY_SOCKET'] === undefined) return;
  // A ping that is lost is made up for by the next, and a supervisor that hears none starts this again.
  execFile('systemd-notify', [state], { timeout: 5000 }, () => undefined);
}
