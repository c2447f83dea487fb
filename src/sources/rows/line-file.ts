/** Files of lines that hold what rows hold: for their owner only, and durable. */
import { open } from 'node:fs/promises';
import { failureOf } from '../io-errors.ts';

const WRITE_AT_ONCE = 64 * 1024;

/** What was there is replaced. Returns how many lines there were. */
export async function writeLineFile(path: string, lines: AsyncIterable<string>): Promise<number> {
  let count = 0;
  try {
    const file = await open(path, 'w', 0o600);
    try {
      let held = '';
      for await (const line of lines) {
        count += 1;
        held += line;
        if (held.length < WRITE_AT_ONCE) continue;
        await file.writeFile(held);
        held = '';
      }
      await file.writeFile(held);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    // What the lines come from has failures of its own.
    throw error instanceof Error && 'errno' in error ? failureOf(error, `write ${path}`) : error;
  }
  return count;
}
