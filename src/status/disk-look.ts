/** How full the disks of this machine are. By `df`: a mount that hangs holds a child then, and no thread of this process. */
import { execFile } from 'node:child_process';
import { HoldfastError } from '../failures.ts';
import { tell } from '../observe/told.ts';
import type { DiskSeen, NotSeen } from '../policy/host-look.ts';
import { holdfastHome } from '../system/home.ts';
import type { System } from '../system/types.ts';
import { askedOnce } from './asked-once.ts';

const LIMIT_MS = 5_000;
const KIB = 1024;

/** Those that the file names for this host, then of directory stores and of HOLDFAST_HOME those that are others. */
export async function lookAtDisks(system: System, host: string): Promise<{ seen: DiskSeen[]; unseen: NotSeen[] }> {
  const named = (system.monitor?.disks ?? []).filter((disk) => disk.host === host).map(({ path }) => path);
  const stores = system.stores.flatMap((store) =>
    store.kind === 'directory' && store.maintainedBy === host ? [store.path] : [],
  );
  const usual = [...stores, holdfastHome()].filter((path) => !named.includes(path));
  const seen: DiskSeen[] = [];
  const unseen: NotSeen[] = [];
  const mounts = new Set<string>();
  for (const path of [...named, ...usual]) {
    try {
      const { mount, ...disk } = await diskOf(path);
      if (usual.includes(path) && mounts.has(mount)) continue;
      mounts.add(mount);
      seen.push(disk);
    } catch (error) {
      unseen.push({ subject: path, why: tell(error).message });
    }
  }
  return { seen, unseen };
}

/** Throws HostBusy, and SourceMissing with df's own words. */
export async function diskOf(path: string): Promise<DiskSeen & { readonly mount: string }> {
  const text = await askedOnce(`the disk of ${path}`, LIMIT_MS, () => df(path));
  const found = /^.*\s(\d+)\s+(\d+)\s+(\d+)\s+\S+\s+(\/.*)$/.exec(text.trim().split('\n').at(-1) ?? '');
  const [, total, used, free, mount = ''] = found ?? [];
  if (total === undefined) throw new HoldfastError('SourceMissing', `df said nothing of ${path} that can be read`);
  return {
    path,
    mount,
    totalBytes: Number(total) * KIB,
    usedBytes: Number(used) * KIB,
    freeBytes: Number(free) * KIB,
  };
}

/** POSIX: `df -kP` prints blocks of 1024 bytes, one line a filesystem. */
function df(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: LIMIT_MS, killSignal: 'SIGKILL', env: { ...process.env, LC_ALL: 'C' } } as const;
    execFile('df', ['-kP', '--', path], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new HoldfastError('SourceMissing', stderr.trim() === '' ? error.message : stderr.trim()));
    });
  });
}
