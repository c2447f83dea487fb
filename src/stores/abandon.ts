/** For clients that cannot abort: leaves what is under way when the signal says so. Its outcome is nobody's any more. */
export async function unlessAborted<T>(signal: AbortSignal, doing: Promise<T>): Promise<T> {
  // Whoever leaves at once leaves it too: its failure is then nobody's either, and must not end the process.
  doing.catch(() => undefined);
  signal.throwIfAborted();
  return new Promise<T>((resolve, reject) => {
    const leave = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', leave, { once: true });
    doing.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
