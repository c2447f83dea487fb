/** Tries again what may succeed a moment later, with growing, randomised pauses and an end. */
import { setTimeout as delay } from 'node:timers/promises';

export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** An attempt without any progress for that long is given up: a hanging server must be noticed. */
  readonly silenceMs: number;
  /** No attempt begins later than that after the first. Default: without such an end. */
  readonly withinMs?: number;
}

export const STORE_RETRIES: RetryPolicy = {
  attempts: 7,
  firstPauseMs: 200,
  longestPauseMs: 10_000,
  silenceMs: 30_000,
};

/** For who has other stores to ask: one that says nothing is left after half a minute, one that says little is heard out. */
export const BRIEF_RETRIES: RetryPolicy = { ...STORE_RETRIES, silenceMs: 15_000, withinMs: 20_000 };

/** Longer than this nobody's word is waited for: the operation above tries again by itself. */
const LONGEST_ASKED_PAUSE_MS = 60_000;

/** An attempt that made no progress in time. */
export class SilenceError extends Error {
  override readonly name = 'SilenceError';
  constructor(silenceMs: number) {
    super(`no answer for ${silenceMs / 1000} s`);
  }
}

export interface Attempt {
  /** 1 for the first. */
  readonly number: number;
  /** Aborted when the caller aborts, and when the attempt was silent for too long. */
  readonly signal: AbortSignal;
  /** Says that something arrived: the silence starts anew. */
  progress(): void;
}

/**
 * Runs `action` until it succeeds, `worthTrying` says no, or the attempts are used up; then throws its last error.
 * Rejects with the signal's reason when the caller aborts. `extraMs` is granted on top of the silence, for large bodies.
 */
export async function withRetries<T>(
  policy: RetryPolicy,
  options: {
    signal: AbortSignal | undefined;
    extraMs: number;
    worthTrying: (cause: unknown) => boolean;
    /** How long the other side asks to be left alone after this answer; undefined when it does not say. */
    askedPauseMs?: (cause: unknown) => number | undefined;
  },
  action: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  const endMs = performance.now() + (policy.withinMs ?? Infinity);
  for (let number = 1; ; number += 1) {
    let askedMs: number;
    options.signal?.throwIfAborted();
    try {
      return await runAttempt(policy.silenceMs + options.extraMs, number, options.signal, action);
    } catch (cause) {
      options.signal?.throwIfAborted();
      if (number >= policy.attempts || performance.now() >= endMs || !options.worthTrying(cause)) throw cause;
      askedMs = Math.min(LONGEST_ASKED_PAUSE_MS, options.askedPauseMs?.(cause) ?? 0);
    }
    await pause(Math.max(askedMs, pauseMs(policy, number)), options.signal);
  }
}

async function runAttempt<T>(
  silenceMs: number,
  number: number,
  caller: AbortSignal | undefined,
  action: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  const given = new AbortController();
  const timer = setTimeout(() => {
    given.abort(new SilenceError(silenceMs));
  }, silenceMs);
  // A signal for each attempt that follows two others costs more than an attempt.
  const stop = (): void => given.abort(caller?.reason);
  caller?.addEventListener('abort', stop);
  try {
    return await action({ number, signal: given.signal, progress: () => timer.refresh() });
  } catch (cause) {
    // Clients report an aborted request in words of their own; why it was aborted is what counts.
    if (given.signal.aborted) throw given.signal.reason;
    throw cause;
  } finally {
    clearTimeout(timer);
    caller?.removeEventListener('abort', stop);
  }
}

/** Half of an exponentially growing pause, and a random part of the other half (so that writers do not march in step). */
function pauseMs(policy: RetryPolicy, number: number): number {
  const full = Math.min(policy.longestPauseMs, policy.firstPauseMs * 2 ** (number - 1));
  return full / 2 + (Math.random() * full) / 2;
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch (cause) {
    signal?.throwIfAborted();
    throw cause;
  }
}
