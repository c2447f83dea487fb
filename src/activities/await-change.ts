/** Waits on a host until watched files have changed and are left in peace again. */
import { watch, type FSWatcher } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isWatched, printOf, type WatchedComponent } from '../sources/changes.ts';
import { componentOf, type HostContext } from './host-context.ts';
import type { Run } from './shell.ts';
import type { ChangeSeen, WalActivities } from './types.ts';

type Input = Parameters<WalActivities['awaitChange']>[0];

/** The kernel's word only wakes it earlier: some filesystems, NFS among them, give none. */
const LOOK_EVERY_MS = 10_000;
/** A deployment writes many files: it is over when nothing has changed for so long. */
const SETTLE_MS = 2_000;
/** Files that change all the time are captured all the same. */
const SETTLE_LIMIT_MS = 60_000;
/** Then the workflow looks at the system file again. */
const TURN_MS = 6 * 3600_000;

/** `changed` false at the end of a turn without a change. A repeat compares with the same print, so that none is missed. */
export async function awaitChange(context: HostContext, input: Input, run: Run): Promise<ChangeSeen> {
  const system = await context.system(input.system);
  const components = input.components.map((name) => componentOf(system, name)).filter(isWatched);
  run.report({ phase: `watch ${components.map(({ name }) => name).join(', ')}` });
  const alarm = new Alarm(components);
  const endMs = Date.now() + TURN_MS;
  try {
    while (Date.now() < endMs) {
      const print = await printOf(components, run.signal);
      if (print !== input.print) return { changed: true, print: await settled(components, print, run) };
      await alarm.ring(run.signal);
    }
    return { changed: false, print: input.print ?? '' };
  } finally {
    alarm.close();
  }
}

async function settled(components: readonly WatchedComponent[], first: string, run: Run): Promise<string> {
  run.report({ phase: 'changed: waiting until nobody writes' });
  let print = first;
  for (const endMs = Date.now() + SETTLE_LIMIT_MS; Date.now() < endMs;) {
    await sleep(SETTLE_MS, undefined, { signal: run.signal });
    const now = await printOf(components, run.signal);
    if (now === print) return print;
    print = now;
  }
  return print;
}

/** Rings when the kernel tells of a change, and in any case after a while. */
class Alarm {
  private readonly watchers: FSWatcher[] = [];
  private rang = Promise.withResolvers<undefined>();

  constructor(components: readonly WatchedComponent[]) {
    for (const component of components) {
      const place = component.kind === 'files' ? component.path : component.directory;
      try {
        // Not recursive: of deeper directories the next look finds out, without a watch for each of them.
        const watcher = watch(place, { persistent: false }, () => this.rang.resolve(undefined));
        watcher.on('error', () => watcher.close());
        this.watchers.push(watcher);
      } catch {
        // It is not there yet, or the filesystem has no such word to give: the next look comes anyway.
      }
    }
  }

  async ring(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const both = AbortSignal.any([signal, over.signal]);
    try {
      await Promise.race([this.rang.promise, sleep(LOOK_EVERY_MS, undefined, { signal: both })]);
    } finally {
      over.abort();
      this.rang = Promise.withResolvers<undefined>();
    }
  }

  close(): void {
    for (const watcher of this.watchers) watcher.close();
  }
}
