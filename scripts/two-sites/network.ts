/**
 * Machines with networks and mounts of their own, and a router between them that can cut, in one direction or both, and slow
 * down: network namespaces, veth pairs and packet filters of the kernel (ip(8), iptables(8), tc(8)). Needs root.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { waitFor } from '../../sample/stack/processes.ts';
import { endChild } from './children.ts';

const run = promisify(execFile);
const LIMIT_MS = 30_000;

export interface Namespace {
  readonly pid: number;
  /** Put before a command it makes it run there. */
  readonly within: readonly string[];
  run(...command: string[]): Promise<string>;
}

export interface Machine extends Namespace {
  readonly name: string;
  readonly address: string;
}

export interface Network extends AsyncDisposable {
  readonly machines: ReadonlyMap<string, Machine>;
  /** Packets from one to the other vanish; nobody is told. */
  drop(from: string, to: string): Promise<void>;
  /** Both directions. */
  cut(one: string, other: string): Promise<void>;
  /** Everything that this machine receives comes at this rate, such as `512kbit`. */
  slow(machine: string, rate: string): Promise<void>;
  /** As if nothing had been cut or slowed. */
  heal(): Promise<void>;
}

/** A process of its own that does nothing, and whose namespaces are the machine. */
async function namespace(kinds: readonly string[]): Promise<Namespace & { readonly child: ChildProcess }> {
  const idle = ['sh', '-c', 'ip link set lo up && echo there && exec sleep infinity'];
  // It goes with this program, whatever that dies of.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'unshare', ...kinds, ...idle], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [first] = (await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => {
      throw new Error('unshare(1) made no namespace: it needs root');
    }),
  ])) as [Buffer];
  if (!first.toString().startsWith('there')) throw new Error(`a namespace said ${first.toString()}`);
  const pid = child.pid ?? 0;
  const within = ['nsenter', '--target', String(pid), ...kinds, '--'];
  return {
    child,
    pid,
    within,
    run: async (...command) => {
      const [program = '', ...args] = [...within, ...command];
      return (await run(program, args)).stdout;
    },
  };
}

/** `prepare` is run on each machine before anything else, in its own mounts. */
export async function network(names: readonly string[], prepare: (name: string) => string): Promise<Network> {
  const router = await namespace(['--net']);
  const ends: ChildProcess[] = [router.child];
  const machines = new Map<string, Machine>();
  const dispose = async (): Promise<void> => {
    for (const child of ends.toReversed()) await endChild(child);
  };
  try {
    await router.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
    for (const [index, name] of names.entries()) {
      const made = await namespace(['--net', '--mount']);
      ends.push(made.child);
      const address = `10.77.${index + 1}.2`;
      await join(router, made, index + 1);
      await made.run('sh', '-c', prepare(name));
      machines.set(name, { name, address, ...made });
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  const addressOf = (name: string): string => machines.get(name)?.address ?? name;
  const drop = async (from: string, to: string): Promise<void> => {
    const both = ['--source', addressOf(from), '--destination', addressOf(to)];
    // Before the rest: a connection that stands loses its packets as a new one does.
    await router.run('iptables', '--wait', '--insert', 'FORWARD', ...both, '--jump', 'DROP');
  };
  const slowed = new Set<string>();
  return {
    machines,
    drop,
    cut: async (one, other) => {
      await drop(one, other);
      await drop(other, one);
    },
    slow: async (name, rate) => {
      const device = linkOf([...machines.keys()].indexOf(name) + 1);
      slowed.add(device);
      await router.run(
        'tc',
        'qdisc',
        'replace',
        'dev',
        device,
        'root',
        'tbf',
        'rate',
        rate,
        'burst',
        '16kbit',
        'latency',
        '500ms',
      );
    },
    heal: async () => {
      await router.run('iptables', '--wait', '--flush', 'FORWARD');
      for (const device of slowed) await router.run('tc', 'qdisc', 'del', 'dev', device, 'root');
      slowed.clear();
    },
    [Symbol.asyncDispose]: dispose,
  };
}

const linkOf = (n: number): string => `to${n}`;

async function join(router: Namespace, machine: Namespace, n: number): Promise<void> {
  const link = linkOf(n);
  await router.run('ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'out', 'netns', String(machine.pid));
  await router.run('ip', 'address', 'add', `10.77.${n}.1/24`, 'dev', link);
  await router.run('ip', 'link', 'set', link, 'up');
  await machine.run('ip', 'address', 'add', `10.77.${n}.2/24`, 'dev', 'out');
  await machine.run('ip', 'link', 'set', 'out', 'up');
  await machine.run('ip', 'route', 'add', 'default', 'via', `10.77.${n}.1`);
  await waitFor(`the link ${link}`, LIMIT_MS, async () => {
    const state = await router.run('cat', `/sys/class/net/${link}/operstate`).catch(() => 'up');
    return state.trim() === 'up' ? true : undefined;
  });
}
