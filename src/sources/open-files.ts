/** Which processes of this machine have a file open, as far as this user may see. */
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { isMissing } from './io-errors.ts';

export interface Holder {
  readonly pid: number;
  readonly name: string;
}

/**
 * Processes, in containers too, other than this one that have the file of this path open. Those of other users stay
 * unseen without root: an empty answer is no proof then.
 */
export async function holdersOf(path: string): Promise<Holder[]> {
  let wanted: string;
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    wanted = `${dev}:${ino}`;
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found: Holder[] = [];
  for (const pid of pids) {
    if (await holds(pid, wanted)) found.push({ pid: Number(pid), name: await nameOf(pid) });
  }
  return found;
}

async function holds(pid: string, wanted: string): Promise<boolean> {
  for await (const identity of openIn(pid)) if (identity === wanted) return true;
  return false;
}

/** What one process has open; nothing of one that has ended meanwhile, or that is somebody else's. */
async function* openIn(pid: string): AsyncGenerator<string> {
  const directory = `/proc/${pid}/fd`;
  let descriptors: string[];
  try {
    descriptors = await readdir(directory);
  } catch {
    return;
  }
  for (const descriptor of descriptors) {
    try {
      // Cheap first: most descriptors are no files.
      if (!(await readlink(`${directory}/${descriptor}`)).startsWith('/')) continue;
      const { dev, ino } = await stat(`${directory}/${descriptor}`, { bigint: true });
      yield `${dev}:${ino}`;
    } catch {
      continue;
    }
  }
}

async function nameOf(pid: string): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
  } catch {
    return 'ended';
  }
}

/** Every file that a process other than this one has open, as `device:inode`. What `holdersOf` says of its limits holds. */
export async function openFiles(): Promise<Set<string>> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const open = new Set<string>();
  for (const pid of pids) for await (const identity of openIn(pid)) open.add(identity);
  return open;
}
