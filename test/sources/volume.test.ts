import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keptAsideOf, removeAside } from '../../src/activities/kept-aside.ts';
import type { DockerHost } from '../../src/docker/types.ts';
import { findSwap } from '../../src/sources/directory-swap.ts';
import type { Beside, KindContext } from '../../src/sources/kinds/component.ts';
import { volumeKind } from '../../src/sources/kinds/volume.ts';
import type { VolumeComponent } from '../../src/system/types.ts';
import { dockerCorner } from '../support/docker.ts';
import type { DockerCorner } from '../support/docker.ts';
import { begun, nextRunOn, type Engine } from './after-run.ts';
import { memorySink } from './volume-artifacts.ts';
import type { MemorySink } from './volume-artifacts.ts';

let corner: DockerCorner;
let stateDirectory: string;
let context: KindContext;
let restores = 0;

beforeAll(async () => {
  corner = await dockerCorner();
  stateDirectory = await mkdtemp(join(tmpdir(), 'holdfast-volume-'));
  context = {
    signal: new AbortController().signal,
    report: () => undefined,
    docker: () => corner.docker,
    stateDirectory,
    system: 'test',
  };
});

afterAll(async () => {
  await corner.cleanUp();
  await rm(stateDirectory, { recursive: true, force: true });
});

function component(volume: string, more: Partial<VolumeComponent> = {}): VolumeComponent {
  return {
    name: 'data',
    kind: 'volume',
    tier: 'critical',
    host: 'local',
    after: [],
    volume,
    quiesce: { mode: 'none', budgetSeconds: 30 },
    exclude: [],
    ...more,
  };
}

async function dataPath(volume: string): Promise<string> {
  const path = (await corner.docker.volume(volume))?.path;
  if (path === undefined) throw new Error(`no volume ${volume}`);
  return path;
}

const LABELS = { 'com.docker.compose.project': 'shop', 'com.docker.compose.volume': 'data' };

/** A volume with a few files, captured. */
async function captured(): Promise<{ volume: string; data: string; own: VolumeComponent; sink: MemorySink }> {
  const volume = await corner.volume(LABELS);
  const data = await dataPath(volume);
  await writeFile(join(data, 'ledger'), 'old numbers');
  await mkdir(join(data, 'empty'), { mode: 0o750 });
  await symlink('ledger', join(data, 'link'));
  await chmod(data, 0o711);
  const own = component(volume);
  const sink = memorySink();
  const { facts } = await volumeKind.capture(own, sink, context);
  expect(facts).toMatchObject({ volume, files: expect.any(Number) as number });
  await writeFile(join(data, 'ledger'), 'new numbers');
  return { volume, data, own, sink };
}

/** What a restore makes is labelled by it, not by the corner. */
function restoreId(volume: string): string {
  const id = `r${++restores}`;
  corner.alsoVolume(`${volume}.restore-${id}`);
  corner.alsoVolume(`${volume}.aside-${id}`);
  return id;
}

async function beside(own: VolumeComponent, sink: MemorySink, id: string): Promise<Beside> {
  return await volumeKind.restoreBeside(own, sink.readers, { paths: [] }, id, context);
}

const text = async (...path: string[]): Promise<string> => await readFile(join(...path), 'utf8');

describe('restore of a volume', () => {
  test('[M5] a copy beside changes nothing that is live; swapped in, it is live and the old data is kept aside', async () => {
    const { volume, data, own, sink } = await captured();
    const id = restoreId(volume);
    const first = await beside(own, sink, id);
    const again = await beside(own, sink, id);
    expect(again).toEqual(first);
    expect(await text(data, 'ledger')).toBe('new numbers');
    expect((await volumeKind.checkBeside(own, first, context)).ok).toBe(true);

    await volumeKind.swapIn(own, first, context);
    await volumeKind.swapIn(own, first, context);
    expect(await text(data, 'ledger')).toBe('old numbers');
    expect((await stat(data)).mode & 0o777).toBe(0o711);
    expect((await readdir(data)).sort()).toEqual(['empty', 'ledger', 'link']);
    await expect(beside(own, sink, id)).rejects.toMatchObject({ code: 'PlanChanged' });
    await expect(volumeKind.discard(own, first, context)).rejects.toMatchObject({ code: 'PlanChanged' });

    const kept = { aside: `${volume}.aside-${id}` };
    expect(await volumeKind.commit(own, first, { keep: true }, context)).toEqual(kept);
    expect(await volumeKind.commit(own, first, { keep: true }, context)).toEqual(kept);
    expect(await text(await dataPath(kept.aside), 'ledger')).toBe('new numbers');
    expect(await corner.docker.volume(first.place)).toBeUndefined();
    expect((await corner.docker.volume(volume))?.labels).toMatchObject(LABELS);
    expect(await findSwap(join(stateDirectory, 'swaps'), `${id}.data`)).toBeUndefined();

    // What is kept: not what an operator or another restore calls alike, and never what a container has.
    corner.alsoVolume(`${volume}.aside-mine`);
    await corner.docker.createVolume(`${volume}.aside-mine`, { labels: { 'dev.holdfast.role': 'aside' } });
    const idle = await corner.container({ binds: [`${kept.aside}:/data`], started: false });
    const seen = { restoreId: id, place: kept.aside, committed: true, usedBy: [expect.stringContaining(corner.id)] };
    expect(await keptAsideOf(own, context)).toEqual([{ ...seen, sinceMs: expect.any(Number) as number }]);
    await expect(volumeKind.commit(own, first, { keep: false }, context)).rejects.toMatchObject({
      code: 'VolumeInUse',
    });
    await corner.docker.removeContainer(idle);
    const asked = { keepSeconds: 3600, tell: () => Promise.resolve() };
    expect(await removeAside(own, seen, asked, context)).toEqual({ goes: false, why: 'kept for 1 h' });
    const untold = { keepSeconds: 0, tell: () => Promise.reject(new Error('no store answers')) };
    await expect(removeAside(own, seen, untold, context)).rejects.toThrow('no store answers');
    expect(await text(await dataPath(kept.aside), 'ledger')).toBe('new numbers');
    await corner.docker.removeVolume(volume);
    const gone = { ...asked, keepSeconds: 0 };
    expect(await removeAside(own, seen, gone, context)).toEqual({
      goes: false,
      why: expect.stringContaining('only state') as string,
    });
    await corner.docker.createVolume(volume, { labels: {} });
    expect(await removeAside(own, seen, gone, context)).toEqual({ goes: true });
    expect(await removeAside(own, seen, gone, context)).toEqual({ goes: false, why: 'it is gone already' });
    expect(await keptAsideOf(own, context)).toEqual([]);
    expect(await corner.docker.volume(`${volume}.aside-mine`)).toBeDefined();
  });

  test('[M5] a swap that is taken back: the state of before is live again, the copy is beside', async () => {
    const { volume, data, own, sink } = await captured();
    const made = await beside(own, sink, restoreId(volume));
    await volumeKind.swapBack(own, made, context);
    expect(await text(data, 'ledger')).toBe('new numbers');
    await volumeKind.swapIn(own, made, context);
    await volumeKind.swapBack(own, made, context);
    await volumeKind.swapBack(own, made, context);
    expect(await text(data, 'ledger')).toBe('new numbers');
    expect(await text(await dataPath(made.place), 'ledger')).toBe('old numbers');
    await volumeKind.discard(own, made, context);
    await volumeKind.discard(own, made, context);
    expect(await corner.docker.volume(made.place)).toBeUndefined();
  });

  test('[M5] a terminated restore: its copy goes with the next run, not while it may run, is swapped in or belongs to a container', async () => {
    const { volume, data, own, sink } = await captured();
    const id = restoreId(volume);
    const engine: Engine = { open: new Set([id]) };
    await begun(own, id, engine, context);
    const made = await beside(own, sink, id);
    const next = async (): Promise<boolean> => {
      await nextRunOn(own, engine, context);
      return (await corner.docker.volume(made.place)) !== undefined;
    };
    expect(await next()).toBe(true);
    engine.open.delete(id);
    const idle = await corner.container({ binds: [`${made.place}:/data`], started: false });
    expect(await next()).toBe(true);
    await corner.docker.removeContainer(idle);
    await volumeKind.swapIn(own, made, context);
    // By now it holds the old data.
    expect(await next()).toBe(true);
    const swap = await findSwap(join(stateDirectory, 'swaps'), `${id}.data`);
    await swap?.undo();
    expect(await next()).toBe(false);
    expect(await text(data, 'ledger')).toBe('new numbers');
    expect(await findSwap(join(stateDirectory, 'swaps'), `${id}.data`)).toBeUndefined();

    // Without a note of its run, or without the label of a restore, it is somebody's.
    const other = `${volume}.restore-${restoreId(volume)}`;
    await corner.docker.createVolume(other, { labels: {} });
    await begun(own, other.split('-').at(-1) ?? '', engine, context);
    const unnoted = await beside(own, sink, restoreId(volume));
    await nextRunOn(own, engine, context);
    for (const place of [other, unnoted.place]) expect(await corner.docker.volume(place)).toBeDefined();
  });

  test('old data that nobody wants to keep is removed at the commit', async () => {
    const { volume, data, own, sink } = await captured();
    const made = await beside(own, sink, restoreId(volume));
    await volumeKind.swapIn(own, made, context);
    expect(await volumeKind.commit(own, made, { keep: false }, context)).toEqual({});
    expect(await corner.docker.volume(made.place)).toBeUndefined();
    expect(await text(data, 'ledger')).toBe('old numbers');
  });

  test('[M10] a volume in use: the swap names its container and changes nothing', async () => {
    const { volume, data, own, sink } = await captured();
    const made = await beside(own, sink, restoreId(volume));
    const id = await corner.container({ binds: [`${volume}:/data`] });
    const live = await volumeKind.inspect(own, context);
    expect(live).toMatchObject({ exists: true, usedBy: [expect.stringContaining(corner.id)] });
    await expect(volumeKind.swapIn(own, made, context)).rejects.toMatchObject({ code: 'VolumeInUse' });
    expect(await text(data, 'ledger')).toBe('new numbers');
    await corner.docker.stop(id, 1);
    await volumeKind.swapIn(own, made, context);
    await corner.docker.start(id);
    expect(await text(data, 'ledger')).toBe('old numbers');
    await expect(volumeKind.swapBack(own, made, context)).rejects.toMatchObject({ code: 'VolumeInUse' });
    await corner.docker.removeContainer(id);
    await volumeKind.commit(own, made, { keep: false }, context);
  });

  test('[M6] a new machine: the missing volume is made under its own name, with the labels that Compose knows', async () => {
    const { volume, own, sink } = await captured();
    await corner.docker.removeVolume(volume);
    expect(await volumeKind.inspect(own, context)).toEqual({ exists: false, usedBy: [], problems: [] });
    const made = await beside(own, sink, restoreId(volume));
    await volumeKind.swapIn(own, made, context);
    await volumeKind.swapBack(own, made, context);
    expect(await corner.docker.volume(volume)).toBeUndefined();
    await volumeKind.swapIn(own, made, context);
    expect(await volumeKind.commit(own, made, { keep: true }, context)).toEqual({});
    expect(await text(await dataPath(volume), 'ledger')).toBe('old numbers');
    expect((await corner.docker.volume(volume))?.labels).toMatchObject(LABELS);
    expect(await corner.docker.volume(made.place)).toBeUndefined();
  });

  test('single paths go into another volume, never over the live one', async () => {
    const { volume, data, own, sink } = await captured();
    const id = restoreId(volume);
    const inPlace = volumeKind.restoreBeside(own, sink.readers, { paths: ['ledger'] }, id, context);
    await expect(inPlace).rejects.toMatchObject({ code: 'BadInput' });
    const nowhere = volumeKind.restoreBeside(own, sink.readers, { paths: [], elsewhere: '/srv/data' }, id, context);
    await expect(nowhere).rejects.toMatchObject({ code: 'BadInput' });
    const target = { elsewhere: `${volume}-picked`, paths: ['ledger'] };
    corner.alsoVolume(target.elsewhere);
    const made = await volumeKind.restoreBeside(own, sink.readers, target, id, context);
    await volumeKind.swapIn(own, made, context);
    await volumeKind.commit(own, made, { keep: true }, context);
    expect(await readdir(await dataPath(target.elsewhere))).toEqual(['ledger']);
    expect(await text(data, 'ledger')).toBe('new numbers');
    const other = volumeKind.restoreBeside(own, sink.readers, target, restoreId(volume), context);
    await expect(other).rejects.toMatchObject({ code: 'TargetNotEmpty' });
  });
});

describe('a restore that is interrupted', () => {
  class Lost extends Error {}

  /** Its n-th call takes effect and its answer is lost, as when the worker dies there. */
  function dyingAt(n: number): DockerHost {
    let calls = 0;
    return new Proxy(corner.docker, {
      get(target, name) {
        const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
        return async (...args: unknown[]): Promise<unknown> => {
          const answer = await method(...args);
          if (++calls === n) throw new Lost(String(name));
          return answer;
        };
      },
    });
  }

  type Step = 'restoreBeside' | 'swapIn' | 'commit';
  const STEPS: readonly Step[] = ['restoreBeside', 'swapIn', 'commit'];

  /** True when the step died at its n-th call and was repeated; false when it has no so many calls. */
  async function interrupted(step: (docker: DockerHost) => Promise<void>, n: number): Promise<boolean> {
    try {
      await step(dyingAt(n));
      return false;
    } catch (error) {
      expect(error).toBeInstanceOf(Lost);
      await step(corner.docker);
      return true;
    }
  }

  /** A whole restore in which one step dies at its n-th call. */
  async function restored(
    own: VolumeComponent,
    sink: MemorySink,
    id: string,
    dying: Step,
    n: number,
  ): Promise<boolean> {
    let made: Beside | undefined;
    let died = false;
    for (const step of STEPS) {
      const take = async (docker: DockerHost): Promise<void> => {
        const used = { ...context, docker: () => docker };
        if (made === undefined) made = await volumeKind.restoreBeside(own, sink.readers, { paths: [] }, id, used);
        else if (step === 'swapIn') await volumeKind.swapIn(own, made, used);
        else await volumeKind.commit(own, made, { keep: true }, used);
      };
      if (step === dying) died = await interrupted(take, n);
      else await take(corner.docker);
    }
    return died;
  }

  test.each(STEPS)(
    '[M5] in %s, at any call to the engine: repeated, it ends as it would have; no data is lost',
    async (dying) => {
      const { volume, data, own, sink } = await captured();
      let n = 0;
      for (let died = true; died;) {
        const id = restoreId(volume);
        await writeFile(join(data, 'ledger'), `state before ${id}`);
        died = await restored(own, sink, id, dying, ++n);
        expect(await text(data, 'ledger'), `call ${n}`).toBe('old numbers');
        expect(await text(await dataPath(`${volume}.aside-${id}`), 'ledger')).toBe(`state before ${id}`);
        expect(await corner.docker.volume(`${volume}.restore-${id}`)).toBeUndefined();
      }
      expect(n).toBeGreaterThan(3);
      expect(await readdir(join(stateDirectory, 'swaps'))).toEqual([]);
    },
  );
});

describe('capture of a volume', () => {
  test('an empty volume is never a backup, a missing one is named', async () => {
    const volume = await corner.volume();
    const empty = volumeKind.capture(component(volume), memorySink(), context);
    await expect(empty).rejects.toMatchObject({ code: 'SourceEmpty' });
    const missing = volumeKind.capture(component(`${volume}-none`), memorySink(), context);
    await expect(missing).rejects.toMatchObject({ code: 'VolumeMissing' });
  });

  test('a volume that the engine mounts from elsewhere is refused with what to do instead', async () => {
    const name = `hf-${corner.id}-bound`;
    corner.alsoVolume(name);
    const options = { type: 'none', device: stateDirectory, o: 'bind' };
    await corner.raw.createVolume({ Name: name, DriverOpts: options });
    const refused = volumeKind.capture(component(name), memorySink(), context);
    await expect(refused).rejects.toMatchObject({ code: 'BadInput', hint: expect.stringContaining('files') as string });
    expect((await volumeKind.inspect(component(name), context)).problems).toHaveLength(1);
  });
});
