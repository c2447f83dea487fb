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

function isLeftover(words: readonly string[], part: string): boolean {
  const name = words[0]?.split('/').at(-1) ?? '';
  return words.some((word) => word.includes(part)) && (name === 'containerd' || name.startsWith('containerd-shim'));
}

function allProcesses(): string[] {
  return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
}

/** Ends, by process id, the containerd and the shims that this part of a path on their command lines belongs to. */
export function endProcessesOf(part: string): void {
  for (const pid of allProcesses().filter((entry) => isLeftover(commandLine(entry), part))) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      // It ended by itself in between.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** The same for the machine's engine. Only to be called when no engine runs that they could belong to. */
export function stopLeftovers(): void {
  const engineRuns = allProcesses().some((pid) => commandLine(pid)[0]?.split('/').at(-1) === 'dockerd');
  if (!engineRuns) endProcessesOf(OWN_SOCKET);
}
