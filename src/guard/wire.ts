/** How a worker and its guard find each other: a lock's address of the state directory, and one line each way. */
import { stat } from 'node:fs/promises';

/** By device and inode, so that two names of one directory are one guard. Undefined when there is none. */
export async function guardName(stateDirectory: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(stateDirectory, { bigint: true });
    return `guard:${dev.toString()}:${ino.toString()}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What the guard says to everybody who connects; from then on the connection keeps it alive. */
export function greeting(pid: number): string {
  return `holdfast-guard ${pid}\n`;
}

export function parseGreeting(text: string): number | undefined {
  const match = /^holdfast-guard (\d+)\n/.exec(text);
  return match === null ? undefined : Number(match[1]);
}
