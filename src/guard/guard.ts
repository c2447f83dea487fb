/**
 * The guard: outlives the worker and bounds how long anything stays paused or stopped. It looks at the freezes of one
 * state directory and releases one when its budget is over or its worker is dead. It ends when it has had nothing to
 * guard for a while.
 */
import type { Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { isAlive } from '../docker/process-identity.ts';
import {
  monotonicMs,
  readFired,
  readJournal,
  readJournals,
  removeJournal,
  writeFired,
} from '../docker/freeze-journal.ts';
import type { FreezeJournal } from '../docker/freeze-journal.ts';
import { releaseContainers } from '../docker/freeze-release.ts';
import { bindLock } from '../docker/host-lock.ts';
import type { DockerHost } from '../docker/types.ts';
import { verdict } from './judge.ts';
import { greeting, guardName } from './wire.ts';

export interface GuardOptions {
  readonly docker: DockerHost;
  readonly stateDirectory: string;
  /** How long it stays without anybody to guard for. */
  readonly idleMs: number;
  /** How often it looks. Worker death is also noticed at once, by its connection. */
  readonly intervalMs: number;
  readonly log: (message: string) => void;
}

/** Resolves when it has nothing to do any more, or at once when another guard has this directory. */
export async function guard(options: GuardOptions): Promise<'another' | 'idle' | 'gone'> {
  const clients = new Set<Socket>();
  let wake = Promise.withResolvers<undefined>();
  let lastUseMs = monotonicMs();
  // Never made here: one that starts late would bring back what somebody removed.
  const name = await guardName(options.stateDirectory);
  if (name === undefined) return 'gone';
  const server = await bindLock(name, (socket) => {
    clients.add(socket);
    lastUseMs = monotonicMs();
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clients.delete(socket);
      lastUseMs = monotonicMs();
      wake.resolve(undefined);
    });
    socket.resume();
    socket.write(greeting(process.pid));
  });
  if (server === undefined) return 'another';
  const releasing = new Map<string, Promise<void>>();
  const told = new Set<string>();
  options.log(`guarding ${options.stateDirectory}`);
  try {
    for (;;) {
      if ((await guardName(options.stateDirectory)) !== name) {
        await Promise.allSettled(releasing.values());
        return 'gone';
      }
      const held = await look(options, releasing, told);
      if (held > 0 || clients.size > 0) lastUseMs = monotonicMs();
      // Nothing is awaited between this decision and the close, so nobody can be greeted in between.
      if (clients.size === 0 && held === 0 && monotonicMs() - lastUseMs > options.idleMs) {
        server.close();
        return 'idle';
      }
      await Promise.race([sleep(options.intervalMs), wake.promise]);
      wake = Promise.withResolvers<undefined>();
    }
  } finally {
    shut(server, clients);
  }
}

/** How many freezes there are; starts to release those that are due. */
async function look(options: GuardOptions, releasing: Map<string, Promise<void>>, told: Set<string>): Promise<number> {
  const { journals, unreadable } = await readJournals(options.stateDirectory);
  for (const problem of unreadable) {
    if (!told.has(problem)) options.log(`left as it is: ${problem}`);
    told.add(problem);
  }
  for (const journal of journals) {
    const { freezeId } = journal.intent;
    const found = verdict(journal, { monotonicMs: monotonicMs(), workerAlive: isAlive(journal.worker) });
    if (found === undefined || releasing.has(freezeId)) continue;
    const work = fire(options, journal, found)
      .catch((error: unknown) => {
        options.log(`release ${freezeId}: ${String(error)}`);
      })
      .finally(() => releasing.delete(freezeId));
    releasing.set(freezeId, work);
  }
  return journals.length;
}

/** Marks first, so that a worker which still reads sees that what it read cannot be believed; then releases. */
async function fire(options: GuardOptions, journal: FreezeJournal, why: string): Promise<void> {
  const { freezeId } = journal.intent;
  const { stateDirectory } = options;
  const before = await readFired(stateDirectory, freezeId, journal.beganMonotonicMs);
  const { beganMonotonicMs } = journal;
  const at = before?.at ?? new Date().toISOString();
  const already = before?.released ?? [];
  if (before === undefined) {
    options.log(`releasing ${freezeId}: ${why}`);
    await writeFired(stateDirectory, freezeId, { beganMonotonicMs, at, why, released: [] });
  }
  const known = { ...journal, released: [...journal.released, ...already] };
  const released = await releaseContainers(options.docker, known, { quiet: false, onTrouble: options.log });
  const worker = isAlive(journal.worker);
  if (released.length > 0 && worker) {
    const doneMonotonicMs = monotonicMs();
    const all = [...already, ...released];
    await writeFired(stateDirectory, freezeId, { beganMonotonicMs, at, why, released: all, doneMonotonicMs });
  }
  // A living worker still reads its journal: it removes both itself. While it may still stop more, this looks again.
  if (!worker) await removeJournal(stateDirectory, freezeId);
  else if ((await readJournal(stateDirectory, freezeId)) === undefined) await removeJournal(stateDirectory, freezeId);
}

function shut(server: Server, clients: ReadonlySet<Socket>): void {
  server.close();
  for (const socket of clients) socket.destroy();
}
