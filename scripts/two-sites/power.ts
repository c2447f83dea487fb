/**
 * All processes of one machine as one group of the kernel, containers among them: so that its power can be cut, and it can be
 * put to sleep, at one moment. By the freezer of cgroups, version 1 or 2 (kernel documentation, cgroup-v1/freezer-subsystem
 * and cgroup-v2, "cgroup.freeze"). Needs root.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const FREEZER = '/sys/fs/cgroup/freezer';
const UNIFIED = '/sys/fs/cgroup';
const LIMIT_MS = 30_000;

export class Power {
  /** For the Docker engine's `--cgroup-parent`. */
  readonly parent: string;
  private readonly directory: string;
  private readonly first: boolean;

  private constructor(name: string) {
    this.first = existsSync(FREEZER);
    this.parent = `/${name}`;
    this.directory = path.join(this.first ? FREEZER : UNIFIED, name);
  }

  static made(name: string): Power {
    const power = new Power(name);
    mkdirSync(power.directory);
    // In version 2 a group with groups below has no processes of its own.
    if (!power.first) mkdirSync(path.join(power.directory, 'own'));
    return power;
  }

  /** That of a run before, as long as its group is there. */
  static found(name: string): Power | undefined {
    const power = new Power(name);
    return existsSync(power.directory) ? power : undefined;
  }

  /** A command line that joins the group and is the command then. */
  joining(command: readonly string[]): string[] {
    const procs = path.join(this.directory, this.first ? 'cgroup.procs' : 'own/cgroup.procs');
    return ['sh', '-c', `echo $$ > ${procs} && exec "$@"`, 'sh', ...command];
  }

  /** Nothing of it runs until `wake`; its clocks do. */
  async sleep(): Promise<void> {
    if (!this.first) {
      writeFileSync(path.join(this.directory, 'cgroup.freeze'), '1');
      return;
    }
    const state = path.join(this.directory, 'freezer.state');
    const end = Date.now() + LIMIT_MS;
    for (;;) {
      writeFileSync(state, 'FROZEN');
      if (readFileSync(state, 'utf8').trim() === 'FROZEN') return;
      if (Date.now() > end) throw new Error(`${this.directory} can't be frozen`);
      await sleep(20);
    }
  }

  wake(): void {
    thaw(this.directory, this.first);
  }

  /** Everything is dead when it resolves, and nothing has lived to see another thing die. */
  async cut(): Promise<void> {
    await this.sleep();
    for (const pid of this.processes()) kill(pid);
    for (const group of groupsBelow(this.directory)) thaw(group, this.first);
    this.wake();
    const end = Date.now() + LIMIT_MS;
    while (this.processes().length > 0) {
      if (Date.now() > end) throw new Error(`processes of ${this.directory} live on: ${this.processes().join()}`);
      for (const pid of this.processes()) kill(pid);
      await sleep(20);
    }
  }

  processes(): number[] {
    return [this.directory, ...groupsBelow(this.directory)].flatMap((group) => {
      try {
        const text = readFileSync(path.join(group, 'cgroup.procs'), 'utf8');
        return text
          .split('\n')
          .filter((line) => line !== '')
          .map(Number);
      } catch {
        return [];
      }
    });
  }

  /** To be called when nothing of it lives. */
  remove(): void {
    // The engine has made groups of this name for every controller, each below a hierarchy of its own in version 1.
    const hierarchies = this.first ? readdirSync(UNIFIED).map((name) => path.join(UNIFIED, name)) : [UNIFIED];
    for (const own of hierarchies.map((hierarchy) => path.join(hierarchy, this.parent))) {
      for (const group of [...groupsBelow(own).toReversed(), own]) if (existsSync(group)) rmdirSync(group);
    }
  }
}

/** Parents before children. */
function groupsBelow(directory: string): string[] {
  if (!existsSync(directory)) return [];
  const own = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => path.join(directory, name));
  return own.flatMap((group) => [group, ...groupsBelow(group)]);
}

/** A container that its engine had paused is a frozen group of its own, in which nothing dies. */
function thaw(group: string, first: boolean): void {
  try {
    writeFileSync(path.join(group, first ? 'freezer.state' : 'cgroup.freeze'), first ? 'THAWED' : '0');
  } catch {
    // It went with its processes.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
