/** Scans a tree on a thread of its own; the event loop only passes groups on. */
import type { Worker } from 'node:worker_threads';
import type { FailureCode } from '../../failures.ts';
import { HoldfastError } from '../../failures.ts';
import type { ByteString } from '../byte-string.ts';
import { systemCallsProblem } from '../system-calls.ts';
import type { EntryGroup } from './groups.ts';
import type { Note } from './notes.ts';
import type { WalkOptions } from './walk.ts';
import { endThread, startThread } from '../native-threads.ts';

/** Slots of the shared flags: groups sent and not yet taken; not zero: stop. */
export const WAITING = 0;
export const STOP = 1;

/** Groups under way at most: some MiB of records, enough to keep the receiver busy. */
const MOST_WAITING = 32;

export interface ScanOrder {
  readonly root: ByteString;
  readonly walk: WalkOptions;
  readonly scanStartMs: number;
  readonly flags: SharedArrayBuffer;
  readonly mostWaiting: number;
}

export type ScanMessage =
  /** Once, when the thread has loaded what it needs. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'group'; readonly group: EntryGroup }
  | { readonly kind: 'end'; readonly notes: readonly Note[] }
  | { readonly kind: 'error'; readonly code: FailureCode; readonly message: string };

/**
 * The groups of a tree in the order of its tar; `onNotes` gets what was left out, before the last group has been
 * followed by the end. Leaving the loop early stops the thread.
 */
export async function* scanTree(
  root: ByteString,
  walk: Omit<WalkOptions, 'xattrs'>,
  onNotes: (notes: readonly Note[]) => void,
): AsyncGenerator<EntryGroup, void, undefined> {
  const flags = new SharedArrayBuffer(8);
  const order: ScanOrder = {
    root,
    walk: { ...walk, xattrs: systemCallsProblem() === undefined },
    scanStartMs: Date.now(),
    flags,
    mostWaiting: MOST_WAITING,
  };
  const worker = takeThread();
  worker.postMessage(order);
  const inbox = new Inbox(worker);
  const slots = new Int32Array(flags);
  try {
    for (;;) {
      const message = await inbox.next();
      if (message.kind === 'ready') continue;
      if (message.kind === 'end') {
        onNotes(message.notes);
        return;
      }
      if (message.kind === 'error') throw new HoldfastError(message.code, message.message);
      Atomics.sub(slots, WAITING, 1);
      Atomics.notify(slots, WAITING);
      yield message.group;
    }
  } finally {
    Atomics.store(slots, STOP, 1);
    Atomics.notify(slots, WAITING);
    await endThread(worker);
  }
}

/** Started and waiting for its order; ends by itself when nobody comes. */
let spare: { readonly worker: Worker; readonly timer: NodeJS.Timeout } | undefined;
const SPARE_MS = 60_000;

/**
 * Starts a thread ahead of the next scan, so that a freeze doesn't wait for it; resolves when it is ready, or has failed,
 * which the next scan then does not notice. It keeps no process alive, and ends when no scan follows within a minute.
 */
export async function prepareScan(): Promise<void> {
  if (spare !== undefined) return;
  const worker = startScanThread();
  worker.unref();
  const timer = setTimeout(() => {
    if (spare?.worker === worker) spare = undefined;
    void endThread(worker);
  }, SPARE_MS);
  timer.unref();
  spare = { worker, timer };
  await new Promise<void>((resolve) => {
    const gone = (): void => {
      if (spare?.worker === worker) spare = undefined;
      resolve();
    };
    worker.once('error', gone);
    worker.once('exit', gone);
    worker.once('message', () => resolve());
  });
}

function takeThread(): Worker {
  if (spare === undefined) return startScanThread();
  const { worker, timer } = spare;
  clearTimeout(timer);
  spare = undefined;
  worker.ref();
  return worker;
}

function startScanThread(): Worker {
  return startThread(new URL('./scan-worker.ts', import.meta.url));
}

/** Messages of a thread, one at a time. */
class Inbox {
  private readonly messages: ScanMessage[] = [];
  private waiting: (() => void) | undefined;
  private failure: Error | undefined;

  constructor(worker: Worker) {
    worker.on('message', (message: ScanMessage) => {
      this.messages.push(message);
      this.waiting?.();
    });
    worker.on('error', (error: unknown) => this.fail(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.fail(new Error('the scanning thread ended early')));
  }

  async next(): Promise<ScanMessage> {
    while (this.messages.length === 0) {
      if (this.failure !== undefined) {
        throw new HoldfastError('Internal', this.failure.message, { cause: this.failure });
      }
      await new Promise<void>((resolve) => (this.waiting = resolve));
    }
    return this.messages.shift() as ScanMessage;
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.waiting?.();
  }
}
