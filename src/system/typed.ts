/**
 * What a person typed on this machine to be run here. Whoever reaches the engine may start a workflow with any input; a
 * command or a query in it counts only when somebody who may write this account's state has typed it.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Longer than the longest search takes. */
const KEPT_MS = 7 * 24 * 3600 * 1000;

/** Noted for a week at least, by its digest only. `state` is the system's state directory on this machine. */
export function noteTyped(state: string, text: string, nowMs = Date.now()): void {
  const directory = directoryIn(state);
  for (const name of readdirSync(directory)) {
    const note = path.join(directory, name);
    // Another command may have removed it meanwhile.
    const notedMs = statSync(note, { throwIfNoEntry: false })?.mtimeMs ?? nowMs;
    if (nowMs - notedMs > KEPT_MS) rmSync(note, { force: true });
  }
  writeFileSync(path.join(directory, digestOf(text)), '', { mode: 0o600 });
}

export function wasTyped(state: string, text: string): boolean {
  return readdirSync(directoryIn(state)).includes(digestOf(text));
}

function directoryIn(state: string): string {
  const directory = path.join(state, 'typed');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
