/** What set-up tells the person in front of it, and the error it ends with when that person has to act. */

const HEARTBEAT_MS = 15_000;

/** One line of progress, on standard error so that it never mixes with results. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Says what is being done, keeps saying so while it takes long, and says how long it took. */
export async function doing<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = Date.now();
  const elapsed = (): string => `${Math.round((Date.now() - startedAt) / 1000)} s`;
  say(`${what} …`);
  const heartbeat = setInterval(() => say(`  still at it: ${what} (${elapsed()})`), HEARTBEAT_MS);
  try {
    const result = await work();
    say(`  done in ${elapsed()}`);
    return result;
  } finally {
    clearInterval(heartbeat);
  }
}

/** Something a person has to do first; the message ends with the exact next step. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
}
