/** One call to the engine: bounded in time, cancellable, its errors mapped. */
import { HoldfastError } from '../failures.ts';
import { type CallSubject, dockerFailure } from './errors.ts';

export interface CallLimits {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Settles at the latest after `timeoutMs`, whatever the client library does: it never settles when the engine goes
 * away in the middle of an answer. A call that ran out of time may still take effect in the engine.
 * Aborting rejects with the signal's reason.
 */
export async function bounded<T>(
  subject: CallSubject,
  limits: CallLimits,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  limits.signal?.throwIfAborted();
  const ended = new AbortController();
  const give = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const seconds = Math.round(limits.timeoutMs / 1000);
    give.reject(
      new HoldfastError('DockerUnreachable', `${subject.doing}: no answer from the Docker engine for ${seconds} s`),
    );
  }, limits.timeoutMs);
  const onAbort = (): void => {
    give.reject(abortReason(limits.signal));
  };
  limits.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([call(ended.signal), give.promise]);
  } catch (error) {
    if (limits.signal?.aborted === true) throw abortReason(limits.signal);
    throw dockerFailure(error, subject);
  } finally {
    clearTimeout(timer);
    limits.signal?.removeEventListener('abort', onAbort);
    ended.abort();
  }
}

function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}
