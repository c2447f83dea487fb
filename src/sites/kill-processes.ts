/** Ends the processes of containers when the engine that would do it does not answer. */
import { readdir, readFile } from 'node:fs/promises';

/**
 * Kills every process in the control groups of these containers, whose names hold the container's whole id (cgroups(7); as
 * Docker names them: `/docker/<id>`, `docker-<id>.scope`). Returns how many there were. None where this process may not see
 * or end them.
 */
export async function killContainerProcesses(ids: readonly string[]): Promise<number> {
  const pids = await processesOf(ids);
  let killed = 0;
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
      killed += 1;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  return killed;
}

async function processesOf(ids: readonly string[]): Promise<number[]> {
  if (ids.length === 0) return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map(async (pid) => ((await isOf(pid, ids)) ? [pid] : [])));
  return found.flat();
}

async function isOf(pid: number, ids: readonly string[]): Promise<boolean> {
  // One that has ended since is nobody's.
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  return ids.some((id) => groups.includes(id));
}
