/**
 * A real systemd as process 1 of namespaces of its own: its own /run, /etc/systemd, journal and cgroups, and beside it the
 * manager of a user's units. It ends with its process 1, and all that it started with it. Needs root; nothing of the
 * machine's own systemd, if it has one, is touched.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../workflows/stage.ts';

const run = promisify(execFile);
const SYSTEMD = '/usr/lib/systemd/systemd';
const USER_RUNTIME = '/run/user/0';

export interface SystemdMachine extends AsyncDisposable {
  /** Put before a command it makes it run on that machine: with its systemd, its /etc/systemd and its processes. */
  readonly within: readonly string[];
  /** What a program there finds its user's manager by. */
  readonly environment: Readonly<Record<string, string>>;
  /** Its /etc/systemd/system, as seen from here. */
  readonly systemUnits: string;
  /** The user's own units, as seen from here and from there. */
  readonly userUnits: string;
  /** Its output. */
  run(...command: string[]): Promise<string>;
}

/** Why no systemd can be started here; undefined when one can. */
export function noSystemdBecause(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may make namespaces with a systemd of their own';
  const tried = spawnSync('unshare', ['--mount', '--pid', '--cgroup', '--fork', 'true']);
  if (tried.status !== 0) return `no namespaces can be made: ${String(tried.stderr)}`;
  return cgroupMount() === undefined ? 'there is no cgroup2 filesystem' : undefined;
}

function cgroupMount(): string | undefined {
  const { stdout } = spawnSync('findmnt', ['--noheadings', '--output', 'TARGET', '--types', 'cgroup2'], {
    encoding: 'utf8',
  });
  return stdout.split('\n')[0]?.trim() || undefined;
}

export async function systemdMachine(): Promise<SystemdMachine> {
  const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-systemd-'));
  const place = (name: string): string => path.join(directory, name);
  await layOut(directory);
  const cgroup = path.join(cgroupMount() ?? '/', path.basename(directory));
  await mkdir(cgroup);
  const [inner, log] = [place('boot.sh'), place('boot.log')];
  await writeFile(inner, BOOT);
  // In a group of its own before the namespace is made, so that its systemd sees that as the root and moves nobody else.
  const enter = `echo $$ > ${cgroup}/cgroup.procs && exec unshare --mount --pid --cgroup --uts --ipc --fork --kill-child=KILL --propagation slave --mount-proc sh ${inner} ${directory} > ${log} 2>&1`;
  // It goes with this process, too, whatever that dies of.
  const unshare = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'sh', '-c', enter], { stdio: 'ignore' });
  const dispose = async (): Promise<void> => {
    const isOver = unshare.exitCode !== null || unshare.signalCode !== null;
    const ended = isOver ? Promise.resolve() : once(unshare, 'exit');
    unshare.kill('SIGKILL');
    await ended;
    await eventually('its groups are empty', async () => (await removeGroups(cgroup)) || undefined);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const pid = await eventually('systemd is process 1', () => firstChild(unshare.pid ?? 0));
    const within = ['nsenter', '--target', String(pid), '--mount', '--pid', '--cgroup', '--uts', '--ipc', '--'];
    const environment = { XDG_RUNTIME_DIR: USER_RUNTIME, HOME: place('home') };
    const machine: SystemdMachine = {
      within,
      environment,
      systemUnits: `/proc/${pid}/root/etc/systemd/system`,
      userUnits: place('home/.config/systemd/user'),
      run: async (...command) => {
        const [program = '', ...args] = [...within, ...command];
        const { stdout } = await run(program, args, { env: { ...process.env, ...environment } });
        return stdout;
      },
      [Symbol.asyncDispose]: dispose,
    };
    await eventually('both managers run', async () => {
      const state = await machine.run('systemctl', '--user', 'is-active', 'basic.target').catch(() => '');
      return state.trim() === 'active' || undefined;
    });
    return machine;
  } catch (error) {
    const said = await readFile(log, 'utf8').catch(() => '');
    await dispose();
    throw new Error(`no systemd came up: ${said.slice(-2000)}`, { cause: error });
  }
}

/** /proc is that of the new namespace; what PID 1 would set for the whole kernel (/proc/sys) is read-only there. */
const BOOT = `set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system ${USER_RUNTIME}
chmod 700 ${USER_RUNTIME}
umount --recursive --lazy /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount --bind "$1/lib" /usr/lib/systemd/system
mount -t tmpfs tmpfs /etc/systemd
mkdir /etc/systemd/system /etc/systemd/user
mount --bind "$1/lib-user" /usr/lib/systemd/user
mount -t tmpfs tmpfs /usr/lib/systemd/system-generators
mount -t tmpfs tmpfs /usr/lib/systemd/user-generators
mount -t tmpfs tmpfs /var/log
exec env -i container=holdfast PATH="$PATH" LANG=C ${SYSTEMD} --system --unit=multi-user.target --log-target=console --show-status=no
`;

const TARGETS = ['basic', 'sysinit', 'shutdown', 'multi-user', 'default', 'timers'];

/** Of the machine's own units the journal alone; the rest of a boot is no part of this. */
async function layOut(directory: string): Promise<void> {
  const own = path.join(directory, 'home/.config/systemd/user');
  for (const name of ['lib', 'lib-user']) await mkdir(path.join(directory, name));
  await mkdir(own, { recursive: true });
  for (const target of TARGETS) {
    const text = `[Unit]\nDescription=${target}\n`;
    await writeFile(path.join(directory, 'lib', `${target}.target`), text);
    await writeFile(path.join(directory, 'lib-user', `${target}.target`), text);
  }
  for (const name of ['systemd-journald.service', 'systemd-journald.socket']) {
    await cp(path.join('/usr/lib/systemd/system', name), path.join(directory, 'lib', name));
  }
  const manager = [
    '[Service]',
    'Type=notify',
    'Delegate=yes',
    `Environment=XDG_RUNTIME_DIR=${USER_RUNTIME} HOME=${path.join(directory, 'home')}`,
    `ExecStart=${SYSTEMD} --user --unit=basic.target`,
  ];
  await writeFile(path.join(directory, 'lib/user-manager.service'), `${manager.join('\n')}\n`);
  const wants = path.join(directory, 'lib/multi-user.target.wants');
  await mkdir(wants);
  for (const name of ['systemd-journald.service', 'systemd-journald.socket', 'user-manager.service']) {
    await symlink(`../${name}`, path.join(wants, name));
  }
}

async function firstChild(pid: number): Promise<number | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const [child] = children.trim().split(' ');
  return child === undefined || child === '' ? undefined : Number(child);
}

/** True when they are gone. */
async function removeGroups(group: string): Promise<boolean> {
  const entries = await readdir(group, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.filter((one) => one.isDirectory())) await removeGroups(path.join(group, entry.name));
  return rmdir(group).then(
    () => true,
    (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT',
  );
}
