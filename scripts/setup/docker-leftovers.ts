/** What a stopped Docker engine may leave running: its own containerd and the shims of containers that didn't end. */
import { readdirSync, readFileSync } from 'node:fs';

/** The socket of the containerd that dockerd starts for itself; one that the system runs has another. */
const OWN_SOCKET = '/docker/containerd/';

function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function isLeftover(words: readonly string[]): boolean {
  const name = words[0]?.split('/').at(-1) ?? '';
  const ofDocker = words.some((word) => word.includes(OWN_SOCKET));
  return ofDocker && (name === 'containerd' || name.startsWith('containerd-shim'));
}

/** Ends them by process id. Only to be called when no engine runs that they could belong to. */
export function stopLeftovers(): void {
  const processes = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  const engineRuns = processes.some((pid) => commandLine(pid)[0]?.split('/').at(-1) === 'dockerd');
  if (engineRuns) return;
  for (const pid of processes.filter((entry) => isLeftover(commandLine(entry)))) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      // It ended by itself in between.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
