/** Holdfast as it takes part: from the command with the engine running, and the capture or restore alone. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { Holdfast } from '../../sample/stack/holdfast.ts';
import type { Up } from '../../sample/stack/holdfast.ts';
import { descendantsOf } from '../../sample/stack/processes.ts';
import type { Contender } from './contender.ts';
import { measureFreezes } from './freezes.ts';
import type { Freeze } from './freezes.ts';
import { measure, peakMiB, processCpuSeconds, resetPeak, treeBytes } from './measure.ts';
import type { Measured } from './measure.ts';
import { OURS, OURS_ALONE } from './targets.ts';

const ROOT = dirname(dirname(import.meta.dirname));
export const COMPONENT = 'data';
export const PLAN = 'all';

export interface OurOptions {
  readonly scratch: string;
  /** For the programs that set-up found. */
  readonly environment: Readonly<Record<string, string>>;
  /** Of the ledger whose freeze is measured. */
  readonly ledgerMiB: number;
  readonly say: (text: string) => void;
}

export interface OurContenders {
  readonly contenders: readonly Contender[];
  freezes(): Promise<readonly Freeze[]>;
  close(): Promise<void>;
}

/** A home with one system for each vault; `up` runs from the first on. */
export class House {
  readonly holdfast: Holdfast;
  private readonly directory: string;
  private running: Up | undefined;
  private count = 0;

  constructor(options: Pick<OurOptions, 'scratch' | 'environment'>) {
    this.directory = join(options.scratch, 'holdfast');
    this.holdfast = new Holdfast(join(this.directory, 'home'), options.environment);
  }

  get up(): Up {
    if (this.running === undefined) throw new Error('the engine does not run');
    return this.running;
  }

  /** A new system with keys and an empty vault, and one component. */
  async newSystem(data: string, component: object): Promise<{ system: string; store: string }> {
    this.count += 1;
    const system = `bench-${data}-${this.count}`;
    const store = join(this.directory, system);
    await mkdir(store, { recursive: true });
    const file = join(this.directory, `${system}.yaml`);
    await mkdir(this.holdfast.home, { recursive: true });
    await writeFile(
      file,
      stringify({
        system,
        stores: { vault: { kind: 'directory', path: store } },
        components: { [COMPONENT]: component },
        plans: { [PLAN]: { components: [COMPONENT], stores: ['vault'] } },
      }),
    );
    const init = await this.holdfast.run('init', file);
    if (init.code !== 0) throw new Error(`holdfast init: ${init.stderr}`);
    this.running ??= await this.holdfast.up('--no-ui', '--no-page', '--port', '0');
    return { system, store };
  }

  async close(): Promise<void> {
    await this.running?.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

function treeCpuSeconds(up: Up): number {
  return [up.pid, ...descendantsOf(up.pid)].reduce((sum, pid) => sum + processCpuSeconds(pid), 0);
}

/** The command as an operator types it; CPU with everything below `up`, memory of the host worker. */
export async function measureCommand(house: House, syncPath: string, args: readonly string[]): Promise<Measured> {
  const { up, holdfast } = house;
  const worker = up.hostWorkerPid();
  if (worker === undefined) throw new Error('the host worker does not run');
  resetPeak(worker);
  const before = treeCpuSeconds(up);
  const command = [join(ROOT, 'bin', 'holdfast'), ...args];
  const cost = await measure({
    command,
    environment: { ...holdfast.environment, HOLDFAST_HOME: holdfast.home, NO_COLOR: '1' },
    syncPath,
  });
  return {
    wallSeconds: cost.wallSeconds,
    cpuSeconds: cost.cpuSeconds + treeCpuSeconds(up) - before,
    peakMiB: peakMiB(worker),
  };
}

function commandContender(house: House): Contender {
  let system = '';
  let store = '';
  const run = (syncPath: string, ...args: string[]) => measureCommand(house, syncPath, args);
  return {
    name: OURS,
    async reset(data, source) {
      if (store !== '') await rm(store, { recursive: true, force: true });
      ({ system, store } = await house.newSystem(data, { kind: 'files', path: source }));
    },
    backup: () => run(store, 'backup', system, PLAN),
    async restore(target) {
      const cost = await run(target, 'restore', system, '--component', COMPONENT, '--target', target);
      return { ...cost, copy: target };
    },
    verify: () => run(store, 'verify', system, '--level', 'content'),
    storedBytes: () => treeBytes(store),
    describe: () => Promise.resolve('the command, with engine and workers running'),
    close: () => rm(store, { recursive: true, force: true }),
  };
}

/** The same capture and restore in a program of its own, without Temporal. */
function aloneContender(house: House): Contender {
  let system = '';
  let store = '';
  const run = (syncPath: string, ...args: string[]): Promise<Measured> => {
    const { holdfast } = house;
    const options = ['--max-semi-space-size=2', '--max-old-space-size=384'];
    return measure({
      command: [process.execPath, ...options, join(import.meta.dirname, 'alone.ts'), ...args],
      environment: { ...holdfast.environment, HOLDFAST_HOME: holdfast.home },
      syncPath,
    });
  };
  return {
    name: OURS_ALONE,
    async reset(data, source) {
      if (store !== '') await rm(store, { recursive: true, force: true });
      ({ system, store } = await house.newSystem(data, { kind: 'files', path: source }));
    },
    backup: () => run(store, 'backup', system),
    async restore(target) {
      return { ...(await run(target, 'restore', system, target)), copy: target };
    },
    verify: () => run(store, 'verify', system),
    storedBytes: () => treeBytes(store),
    describe: () => Promise.resolve('capture, restore and verification as one program, without Temporal'),
    close: () => rm(store, { recursive: true, force: true }),
  };
}

export function holdfastContenders(options: OurOptions): OurContenders {
  const house = new House(options);
  const contenders = [commandContender(house), aloneContender(house)];
  return {
    contenders,
    freezes: () => measureFreezes(options),
    close: async () => {
      await house.close();
      for (const contender of contenders) await contender.close();
    },
  };
}
