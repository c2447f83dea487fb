/** Unpacks a tar into a directory on a thread of its own. */
import type { Worker } from 'node:worker_threads';
import type { FailureCode } from '../../failures.ts';
import { HoldfastError } from '../../failures.ts';
import { freeNow } from '../../seal/free.ts';
import type { ByteString } from '../byte-string.ts';
import { byteString } from '../byte-string.ts';
import { pathInTree } from './tar-format.ts';
import type { WriterReport } from './tree-writer.ts';
import { endThread, startThread } from '../native-threads.ts';

export interface ExtractOptions {
  readonly signal: AbortSignal;
  /** Relative paths, each with all below it; empty (default) means everything. */
  readonly paths?: readonly (string | Buffer)[];
  /** Device nodes: `refuse` (default) the archive, `skip` them with a warning, or `make` them, which needs root. */
  readonly devices?: 'make' | 'skip' | 'refuse';
  readonly onProgress?: (progress: { readonly bytesDone: number; readonly filesDone: number }) => void;
}

export interface ExtractReport extends Readonly<WriterReport> {
  /** What could not be restored as it was, each kind once with its number and an example. */
  readonly warnings: readonly string[];
}

export interface ExtractOrder {
  readonly target: string | Uint8Array;
  readonly paths: readonly ByteString[];
  readonly devices: 'make' | 'skip' | 'refuse';
}

export type ToExtractor = { readonly kind: 'bytes'; readonly bytes: Uint8Array } | { readonly kind: 'end' };

export type FromExtractor =
  | { readonly kind: 'taken'; readonly bytes: number; readonly bytesDone: number; readonly filesDone: number }
  | { readonly kind: 'again' }
  | { readonly kind: 'done'; readonly report: ExtractReport }
  | { readonly kind: 'error'; readonly code: FailureCode; readonly message: string };

/** Bytes under way between the threads. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;

/**
 * Unpacks a tar (POSIX pax, ustar, GNU) into `target`, an existing empty directory that nobody else writes to. Nothing
 * is ever written outside it. Owners (as root), modes, times, links, xattrs and holes come back; everything is durable
 * when this resolves. `source` may be opened twice: selected hard links can need a second pass; its buffers are given
 * away. What is there after a failure is incomplete: the caller removes it.
 * Throws UnsafePath, ArchiveBroken, TargetNotEmpty, SourceMissing (no target), BadInput (a path that is not in the
 * archive), DiskFull, PermissionDenied, whatever the source throws, and the signal's reason.
 */
export async function extractTar(
  source: () => AsyncIterable<Uint8Array>,
  target: string | Buffer,
  options: ExtractOptions,
): Promise<ExtractReport> {
  options.signal.throwIfAborted();
  const order: ExtractOrder = {
    target,
    paths: (options.paths ?? []).map((path) => pathInTree(byteString(path))),
    devices: options.devices ?? 'refuse',
  };
  const worker = startThread(new URL('./extract-worker.ts', import.meta.url), { workerData: order });
  const conversation = new Conversation(worker, options);
  try {
    for (;;) {
      for await (const bytes of source()) await conversation.give(bytes);
      const report = await conversation.end();
      if (report !== 'again') return report;
    }
  } finally {
    conversation.close();
    await endThread(worker);
  }
}

/** What is said between the two threads, with a limit to what is under way. */
class Conversation {
  private readonly worker: Worker;
  private readonly options: ExtractOptions;
  private waitingBytes = 0;
  private answer: ExtractReport | 'again' | undefined;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;
  private readonly onAbort = (): void => this.fail(asError(this.options.signal.reason));

  constructor(worker: Worker, options: ExtractOptions) {
    this.worker = worker;
    this.options = options;
    worker.on('message', (message: FromExtractor) => this.hear(message));
    worker.on('error', (error: unknown) =>
      this.fail(new HoldfastError('Internal', asError(error).message, { cause: error })),
    );
    worker.on('exit', () => this.fail(new HoldfastError('Internal', 'The unpacking thread ended early')));
    options.signal.addEventListener('abort', this.onAbort, { once: true });
  }

  async give(bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength === 0) return;
    // A view of something larger is copied: moving it would take the rest along.
    const own = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer;
    const moved = own ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes);
    if (!own) freeNow(bytes);
    this.waitingBytes += moved.byteLength;
    this.say({ kind: 'bytes', bytes: moved }, [moved.buffer]);
    await this.until(() => this.waitingBytes < MOST_WAITING_BYTES);
  }

  async end(): Promise<ExtractReport | 'again'> {
    this.answer = undefined;
    this.say({ kind: 'end' });
    await this.until(() => this.answer !== undefined);
    return this.answer as unknown as ExtractReport | 'again';
  }

  close(): void {
    this.options.signal.removeEventListener('abort', this.onAbort);
  }

  private say(message: ToExtractor, transfer: ArrayBuffer[] = []): void {
    this.worker.postMessage(message, transfer);
  }

  private hear(message: FromExtractor): void {
    switch (message.kind) {
      case 'taken':
        this.waitingBytes -= message.bytes;
        this.options.onProgress?.({ bytesDone: message.bytesDone, filesDone: message.filesDone });
        break;
      case 'again':
        this.answer = 'again';
        break;
      case 'done':
        this.answer = message.report;
        break;
      case 'error':
        this.fail(new HoldfastError(message.code, message.message));
    }
    this.wake?.();
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.wake?.();
  }

  private async until(condition: () => boolean): Promise<void> {
    for (;;) {
      if (this.failure !== undefined) throw this.failure;
      if (condition()) return;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
