/** Waiting that can be given up, for what can't be ended. */

/** Rejects when the signal aborts. What goes on after that ends by itself, and closes what it opened. */
export async function raced<T>(asked: Promise<T>, signal: AbortSignal): Promise<T> {
  // Nobody may wait for it any more when it fails.
  asked.catch(() => undefined);
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const give = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('given up'));
  signal.addEventListener('abort', give, { once: true });
  try {
    return await Promise.race([asked, promise]);
  } finally {
    signal.removeEventListener('abort', give);
  }
}
