/** Worker threads with bounded queues, seen from the main thread. Threads start when there is work for them. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Transferable } from 'node:worker_threads';
import { HoldfastError } from '../failures.ts';
import type { FromThread, ThreadError, ToThread } from './thread-messages.ts';

export interface ThreadPoolOptions {
  /** The module each thread runs. */
  readonly entry: URL;
  readonly workerData: unknown;
  /** Default: the number of cores. */
  readonly threads: number | undefined;
  /**
   * What a thread holds at once, so that it has work while the main thread is busy or waits for a core: this many jobs,
   * and no more bytes than this unless it is one job.
   */
  readonly jobsPerThread: number;
  readonly bytesPerThread: number;
}

export interface ThreadJob {
  readonly request: unknown;
  readonly transfer: readonly ArrayBuffer[];
  /** About what the thread has to hold for it. */
  readonly bytes: number;
  /** Answers the question a thread asks halfway, where the kind of job has one. */
  readonly ask?: (question: unknown) => unknown;
}

interface PendingJob extends ThreadJob {
  readonly resolve: (result: unknown) => void;
  readonly reject: (cause: Error) => void;
}

interface PoolThread {
  readonly worker: Worker;
  readonly jobs: Map<number, PendingJob>;
  heldBytes: number;
  failure: Error | undefined;
}

export class ThreadPool {
  readonly #options: ThreadPoolOptions;
  readonly #maxThreads: number;
  readonly #threads: PoolThread[] = [];
  readonly #waiting: PendingJob[] = [];
  #readyCallbacks: (() => void)[] = [];
  #nextJob = 1;
  #closed = false;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
    this.#maxThreads = options.threads ?? availableParallelism();
  }

  /** Rejects with the thread's HoldfastError, with what `ask` threw, and with Internal when the thread died. */
  run(job: ThreadJob): Promise<unknown> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#closed) {
        reject(closedError());
        return;
      }
      this.#waiting.push({ ...job, resolve, reject });
      this.#dispatch();
    });
  }

  /** Resolves when the queue is short; also when the pool is closed. */
  async ready(): Promise<void> {
    while (!this.#closed && this.#isQueueLong()) {
      await new Promise<void>((resolve) => this.#readyCallbacks.push(resolve));
    }
  }

  /** Stops the threads; what is unfinished is rejected. A repeat does nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wakeReady();
    const threads = this.#threads.splice(0);
    for (const job of this.#waiting.splice(0)) job.reject(closedError());
    for (const thread of threads) rejectAll(thread, closedError());
    await Promise.all(threads.map((thread) => thread.worker.terminate()));
  }

  #dispatch(): void {
    for (let job = this.#waiting[0]; job !== undefined; job = this.#waiting[0]) {
      const thread = this.#freeThread(job.bytes);
      if (thread === undefined) break;
      this.#waiting.shift();
      this.#post(thread, job);
    }
    if (!this.#isQueueLong()) this.#wakeReady();
  }

  #isQueueLong(): boolean {
    return this.#waiting.length >= this.#maxThreads;
  }

  #freeThread(bytes: number): PoolThread | undefined {
    const least = this.#threads.reduce<PoolThread | undefined>(
      (best, thread) => (best === undefined || thread.jobs.size < best.jobs.size ? thread : best),
      undefined,
    );
    if (least?.jobs.size === 0) return least;
    if (this.#threads.length < this.#maxThreads) return this.#start();
    const { jobsPerThread, bytesPerThread } = this.#options;
    if (least === undefined || least.jobs.size >= jobsPerThread) return undefined;
    return least.heldBytes + bytes <= bytesPerThread ? least : undefined;
  }

  #post(thread: PoolThread, job: PendingJob): void {
    const id = this.#nextJob;
    this.#nextJob += 1;
    thread.jobs.set(id, job);
    thread.heldBytes += job.bytes;
    try {
      send(thread, { job: id, type: 'request', body: job.request }, job.transfer);
    } catch (cause) {
      // A buffer that was given away before cannot be given away again; thrown here, it would hit some other job.
      thread.jobs.delete(id);
      thread.heldBytes -= job.bytes;
      job.reject(new HoldfastError('Internal', 'A job could not be given to a thread.', { cause }));
    }
  }

  #start(): PoolThread {
    const worker = new Worker(this.#options.entry, { workerData: this.#options.workerData, execArgv: [] });
    const thread: PoolThread = { worker, jobs: new Map(), heldBytes: 0, failure: undefined };
    this.#threads.push(thread);
    worker.on('message', (message: FromThread) => {
      this.#received(thread, message);
    });
    worker.on('messageerror', (cause) => {
      thread.failure = cause;
      void worker.terminate();
    });
    worker.on('error', (cause: unknown) => {
      thread.failure = cause instanceof Error ? cause : new Error(String(cause));
    });
    worker.on('exit', () => {
      this.#exited(thread);
    });
    return thread;
  }

  #received(thread: PoolThread, message: FromThread): void {
    const job = thread.jobs.get(message.job);
    if (job === undefined) return;
    if (message.type === 'ask') {
      void answer(thread, message.job, job, message.body);
      return;
    }
    thread.jobs.delete(message.job);
    thread.heldBytes -= job.bytes;
    if (message.type === 'done') job.resolve(message.body);
    else job.reject(fromThreadError(message.error));
    this.#dispatch();
  }

  #exited(thread: PoolThread): void {
    const index = this.#threads.indexOf(thread);
    if (index >= 0) this.#threads.splice(index, 1);
    const why = thread.failure?.message ?? 'without a reason';
    rejectAll(thread, new HoldfastError('Internal', `A worker thread ended: ${why}.`, { cause: thread.failure }));
    if (!this.#closed) this.#dispatch();
  }

  #wakeReady(): void {
    const callbacks = this.#readyCallbacks;
    this.#readyCallbacks = [];
    for (const callback of callbacks) callback();
  }
}

/**
 * The same promise, which does not end the process when it rejects before anybody awaits it: callers hold many results
 * at once, and a thread that dies rejects them all. Whoever awaits it still gets the error.
 */
export function held<T>(result: Promise<T>): Promise<T> {
  result.catch(() => undefined);
  return result;
}

async function answer(thread: PoolThread, id: number, job: PendingJob, question: unknown): Promise<void> {
  try {
    const body = await job.ask?.(question);
    send(thread, { job: id, type: 'answer', body }, []);
  } catch (cause) {
    // The thread is told to let go of the job; it then answers 'done' or 'failed', which is no longer heard.
    job.reject(cause instanceof Error ? cause : new Error(String(cause)));
    send(thread, { job: id, type: 'abandon' }, []);
  }
}

function send(thread: PoolThread, message: ToThread, transfer: readonly Transferable[]): void {
  thread.worker.postMessage(message, transfer);
}

function rejectAll(thread: PoolThread, cause: Error): void {
  const jobs = [...thread.jobs.values()];
  thread.jobs.clear();
  for (const job of jobs) job.reject(cause);
}

function fromThreadError(error: ThreadError): HoldfastError {
  return new HoldfastError(error.code, error.message, { cause: error.cause, details: error.details });
}

function closedError(): HoldfastError {
  return new HoldfastError('Internal', 'The threads were stopped before this was done.');
}
