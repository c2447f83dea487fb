/**
 * Threads that load an addon. Node.js ends the whole process when a thread is ended while an addon is being loaded in it
 * ("FATAL ERROR: … napi_throw"), so that a restore that fails early, or is cancelled, could take a worker and all its other
 * operations along. Whoever ends such a thread waits until none is loading: `endThread`.
 */
import { getEnvironmentData, setEnvironmentData, Worker, type WorkerOptions } from 'node:worker_threads';

/** How many threads of this process are loading; the same memory in all of them, also in threads of threads. */
const LOADING = 'holdfast: threads that load';
/** Of one thread: 1 once it has loaded, or has ended before it had. */
const LOADED = 'holdfast: this thread has loaded';
/** A thread that loads takes a fraction of a second; one that hangs must not keep an operation for ever. */
const PATIENCE_MS = 20_000;

/** Read at once: what this thread sets later is for threads of its own. */
const ownLoaded = getEnvironmentData(LOADED);

/** Starts a thread whose module calls `threadHasLoaded` first of all. */
export function startThread(url: URL, options: WorkerOptions = {}): Worker {
  const loading = sharedCount();
  const loaded = new Int32Array(new SharedArrayBuffer(4));
  Atomics.add(loading, 0, 1);
  // What is set here is what the thread gets, whose own threads get what it sets.
  setEnvironmentData(LOADED, loaded);
  const worker = new Worker(url, options);
  worker.once('exit', () => noteLoaded(loading, loaded));
  return worker;
}

/** To be called by a thread's module once all that it imports is there. */
export function threadHasLoaded(): void {
  if (ownLoaded instanceof Int32Array) noteLoaded(sharedCount(), ownLoaded);
}

/** Ends a thread when nothing is being loaded. A repeat is harmless. */
export async function endThread(worker: Worker): Promise<void> {
  const loading = sharedCount();
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (let count = Atomics.load(loading, 0); count > 0; count = Atomics.load(loading, 0)) {
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) break;
    await Atomics.waitAsync(loading, 0, count, leftMs).value;
  }
  await worker.terminate();
}

/** The same in a thread that has no event loop to wait in; it blocks. */
export function endThreadNow(worker: Worker): void {
  const loading = sharedCount();
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (let count = Atomics.load(loading, 0); count > 0; count = Atomics.load(loading, 0)) {
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) break;
    Atomics.wait(loading, 0, count, leftMs);
  }
  void worker.terminate();
}

function noteLoaded(loading: Int32Array, loaded: Int32Array): void {
  if (Atomics.exchange(loaded, 0, 1) !== 0) return;
  Atomics.sub(loading, 0, 1);
  Atomics.notify(loading, 0);
}

function sharedCount(): Int32Array<SharedArrayBuffer> {
  const known = getEnvironmentData(LOADING);
  if (known instanceof Int32Array && known.buffer instanceof SharedArrayBuffer)
    return known as Int32Array<SharedArrayBuffer>;
  const made = new Int32Array(new SharedArrayBuffer(4));
  setEnvironmentData(LOADING, made);
  return made;
}
