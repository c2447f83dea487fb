/** One site on a machine of its own: a Docker engine, a Holdfast home with an engine and workers, the guard, the stack. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import Docker from 'dockerode';
import { Holdfast, type Up } from '../../sample/stack/holdfast.ts';
import { argumentsOf, descendantsOf, waitFor } from '../../sample/stack/processes.ts';
import { servicesImage } from '../example/images.ts';
import { dockerAnswers } from '../setup/docker.ts';
import { findProgram } from '../setup/run.ts';
import { endChild, hasEnded } from './children.ts';
import { Door } from './door.ts';
import type { Machine } from './network.ts';
import { Operator } from './operator.ts';
import { Power } from './power.ts';

export const SYSTEM = 'shop';
/** The same place on each machine: every one of them has mounts of its own. */
export const STACK = '/srv/shop';
export const PORT = 8080;
const CLI = path.join(import.meta.dirname, '..', '..', 'src', 'cli.ts');
const LIMIT_MS = 120_000;
/** As a supervisor waits before it starts again what has ended. */
const GUARD_PAUSE_MS = 200;
/** Of its Temporal server; each machine has a loopback of its own. */
const ENGINE_PORT = 7233;

/** What makes the mounts of one machine, as a shell runs it there before anything else. */
export function mountsOf(base: string, name: string): string {
  const own = path.join(base, name);
  return [
    'mount --make-rprivate /',
    `mkdir -p ${own}/shop ${own}/home ${own}/docker`,
    'mount -t tmpfs tmpfs /srv',
    `mkdir ${STACK}`,
    `mount --bind ${own}/shop ${STACK}`,
  ].join(' && ');
}

/** What an engine has made in the network of its machine is gone after a boot, too. */
const FORGET = [
  'for t in nat filter raw mangle; do iptables -t $t -F && iptables -t $t -X; done',
  'for l in $(ip -o link show type bridge | cut -d: -f2); do ip link delete $l; done',
].join(' && ');

export class Site {
  readonly name: string;
  readonly machine: Machine;
  readonly docker: Docker;
  readonly holdfast: Holdfast;
  /** What lies at STACK there, as seen from here. */
  readonly stackDirectory: string;
  readonly home: string;
  readonly systemFile: string;
  private readonly own: string;
  private door: Door | undefined;
  private readonly power: Power;
  private readonly socket: string;
  private engine: ChildProcess | undefined;
  private guard: ChildProcess | undefined;
  private up: Up | undefined;
  private isGuarded = false;
  private boots = 0;

  constructor(base: string, machine: Machine, environment: Readonly<Record<string, string>>) {
    this.name = machine.name;
    this.machine = machine;
    this.own = path.join(base, machine.name);
    this.stackDirectory = path.join(this.own, 'shop');
    this.home = path.join(this.own, 'home');
    this.systemFile = path.join(this.own, `${SYSTEM}.yaml`);
    this.socket = path.join(this.own, 'docker.sock');
    this.power = Power.made(`${path.basename(base)}-${machine.name}`);
    this.docker = new Docker({ socketPath: this.socket });
    const own = { DOCKER_HOST: `unix://${this.socket}`, HOLDFAST_HOST: `${machine.name}-1` };
    this.holdfast = new Holdfast(this.home, { ...environment, ...own }, undefined, (command) => this.there(command));
  }

  private there(command: readonly string[]): string[] {
    return this.power.joining([...this.machine.within, ...command]);
  }

  /** The Docker engine, under a boot id of its own: the kernel below is the same all the time. */
  async powerOn(): Promise<void> {
    this.boots += 1;
    const id = path.join(this.own, 'boot_id');
    await writeFile(id, `${this.boot}\n`);
    await this.machine.run('mount', '--bind', id, '/proc/sys/kernel/random/boot_id');
    const at = (name: string): string => path.join(this.own, 'docker', name);
    const log = openSync(at('log'), 'a');
    // What lies in /run is gone after a boot.
    const run = ['--exec-root', at(`run-${this.boots}`), '--pidfile', at(`pid-${this.boots}`)];
    const places = ['--data-root', at('data'), ...run];
    const engine = [findProgram('dockerd') ?? 'dockerd', '--host', `unix://${this.socket}`, ...places];
    const [program = '', ...args] = this.there([...engine, '--cgroup-parent', this.power.parent]);
    const child = spawn(program, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.engine = child;
    await waitFor(`the Docker engine of ${this.name}`, LIMIT_MS, async () => {
      if (hasEnded(child)) throw new Error((await readFile(at('log'), 'utf8')).slice(-2000));
      return (await dockerAnswers(`unix://${this.socket}`)) ? true : undefined;
    });
  }

  /** Everything of the machine dies at one moment, the stack among it. */
  async powerOff(): Promise<void> {
    this.isGuarded = false;
    await this.power.cut();
    this.up = undefined;
    this.guard = undefined;
    this.engine = undefined;
    await this.machine.run('umount', '/proc/sys/kernel/random/boot_id');
    await this.machine.run('sh', '-c', FORGET);
    await rm(this.socket, { force: true });
  }

  get isOn(): boolean {
    return this.engine !== undefined;
  }

  async sleep(): Promise<void> {
    await this.power.sleep();
  }

  wake(): void {
    this.power.wake();
  }

  async image(): Promise<string> {
    return servicesImage(this.docker, () => undefined);
  }

  /** So that somebody outside of its network can work with its engine. */
  async openDoor(): Promise<void> {
    this.door = await Door.open(this.machine, ENGINE_PORT, path.dirname(this.own));
  }

  get operator(): Operator {
    if (this.door === undefined) throw new Error(`nobody has opened the door of ${this.name}`);
    return new Operator(SYSTEM, this.door.client);
  }

  async startWorkers(): Promise<void> {
    await mkdir(this.home, { recursive: true });
    this.up = await this.holdfast.up('--no-ui', '--no-page', '--port', String(ENGINE_PORT));
  }

  get upPid(): number | undefined {
    return this.up?.pid;
  }

  get hostWorkerPid(): number | undefined {
    return this.up?.hostWorkerPid();
  }

  get storiesWorkerPid(): number | undefined {
    return descendantsOf(this.upPid ?? 0).find((pid) => {
      const words = argumentsOf(pid);
      return words.some((word) => word.endsWith('worker.ts')) && !words.includes('host');
    });
  }

  async stopWorkers(): Promise<void> {
    await this.up?.stop();
    this.up = undefined;
  }

  /** As its unit does it: when it ends, what is to be done then is done, and it is started again. */
  startGuard(): void {
    this.isGuarded = true;
    const child = this.guardProcess('run');
    this.guard = child;
    child.once('exit', () => {
      if (this.isGuarded && this.guard === child) this.afterGuard();
    });
  }

  /** Killed, and nothing comes after it: what it has started goes on. */
  async endGuard(): Promise<void> {
    this.isGuarded = false;
    if (this.guard !== undefined) await endChild(this.guard);
    this.guard = undefined;
  }

  private afterGuard(): void {
    this.guardProcess('after').once('exit', () => {
      setTimeout(() => {
        if (this.isGuarded) this.startGuard();
      }, GUARD_PAUSE_MS);
    });
  }

  private guardProcess(what: 'run' | 'after'): ChildProcess {
    const log = openSync(path.join(this.own, 'guard.log'), 'a');
    const [program = '', ...args] = this.there([process.execPath, CLI, 'site', SYSTEM, '--guard', what]);
    const environment = { ...process.env, ...this.holdfast.environment, HOLDFAST_HOME: this.home, NO_COLOR: '1' };
    const child = spawn(program, args, { stdio: ['ignore', log, log], env: environment });
    closeSync(log);
    return child;
  }

  get guardPid(): number | undefined {
    return this.guard?.pid;
  }

  private get boot(): string {
    return `00000000-0000-4000-8000-${String(this.boots).padStart(12, '0')}`;
  }

  /** The newest generation that the guard has read since the machine was started; 0 before its first. */
  async generationRead(): Promise<number> {
    const file = path.join(this.home, 'state', SYSTEM, 'sites', 'lease.json');
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text === undefined) return 0;
    const { bootId, generation } = JSON.parse(text) as { bootId: string; generation: number };
    return bootId === this.boot ? generation : 0;
  }

  async guardLog(): Promise<string> {
    return readFile(path.join(this.own, 'guard.log'), 'utf8').catch(() => '');
  }

  async close(): Promise<void> {
    this.isGuarded = false;
    await this.stopWorkers();
    await this.endGuard();
    if (this.engine !== undefined && !hasEnded(this.engine)) {
      const containers = await this.docker.listContainers({ all: true });
      for (const { Id } of containers) await this.docker.getContainer(Id).remove({ force: true });
    }
    await this.door?.close();
    await this.power.cut();
    this.power.remove();
  }
}
