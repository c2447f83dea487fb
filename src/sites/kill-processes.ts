/** Ends the processes of containers and units when the engine or the manager that would do it does not answer. */
import { readdir, readFile } from 'node:fs/promises';
import { callerOf, type ManagerOf } from '../systemd/account.ts';

/**
 * Kills every process in the control groups of these containers, whose names hold the container's whole id (cgroups(7); as
 * Docker names them: `/docker/<id>`, `docker-<id>.scope`). Returns how many there were. None where this process may not see
 * or end them.
 */
export async function killContainerProcesses(ids: readonly string[]): Promise<number> {
  return ids.length === 0 ? 0 : killThose((groups) => ids.some((id) => groups.includes(id)));
}

/** The same of units: a group is named like its unit, below that of its user's manager, if it is one of those (systemd.slice(5)). */
export async function killUnitProcesses(of: ManagerOf, names: readonly string[]): Promise<number> {
  if (names.length === 0) return 0;
  const { uid = process.geteuid?.() ?? 0 } = await callerOf(of);
  const manager = `user@${uid}.service`;
  return killThose((groups) => {
    const parts = groups.split(/[/\n]/);
    const isUsers = parts.some((part) => part.startsWith('user@'));
    if (of.scope === 'user' ? !parts.includes(manager) : isUsers) return false;
    return parts.some((part) => names.includes(part));
  });
}

async function killThose(isOne: (groups: string) => boolean): Promise<number> {
  let killed = 0;
  for (const pid of await processesOf(isOne)) {
    try {
      process.kill(pid, 'SIGKILL');
      killed += 1;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  return killed;
}

async function processesOf(isOne: (groups: string) => boolean): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const others = pids.filter((pid) => pid !== process.pid);
  const found = await Promise.all(
    // One that has ended since is nobody's.
    others.map(async (pid) => (isOne(await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')) ? [pid] : [])),
  );
  return found.flat();
}
