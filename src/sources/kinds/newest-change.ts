/** How large a tree is and when it last changed, for people: a quick look, not a scan. */
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

import { failureOf, isMissing } from '../io-errors.ts';

export interface TreeLook {
  readonly sizeBytes: number;
  readonly newestMs: number | undefined;
  /** False when the tree has more entries than were looked at: then the figures are only of a part. */
  readonly complete: boolean;
}

const MOST_ENTRIES = 100_000;

/** Looks at 100,000 entries at most. What vanishes meanwhile is passed over. Throws PermissionDenied, Internal. */
export async function newestChangeMs(root: string, signal: AbortSignal): Promise<TreeLook> {
  let sizeBytes = 0;
  let newestMs: number | undefined;
  let seen = 0;
  const waiting = [root];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    signal.throwIfAborted();
    try {
      for await (const entry of await opendir(directory)) {
        if (++seen > MOST_ENTRIES) return { sizeBytes, newestMs, complete: false };
        const path = join(directory, entry.name);
        const facts = await lstat(path).catch((error: unknown) => {
          if (isMissing(error)) return undefined;
          throw error;
        });
        if (facts === undefined) continue;
        if (facts.isDirectory()) waiting.push(path);
        if (facts.isFile()) sizeBytes += facts.size;
        newestMs = Math.max(newestMs ?? 0, facts.mtimeMs);
      }
    } catch (error) {
      if (isMissing(error) && directory !== root) continue;
      throw failureOf(error, `look at ${directory}`);
    }
  }
  return { sizeBytes, newestMs, complete: true };
}
