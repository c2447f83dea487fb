import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { keptAsideOf, removeAside } from '../../src/activities/kept-aside.ts';
import { findSwap } from '../../src/sources/directory-swap.ts';
import { composeKind } from '../../src/sources/kinds/compose.ts';
import { namesIn, projectFiles } from '../../src/sources/kinds/compose-files.ts';
import type { KeptAside, KindContext } from '../../src/sources/kinds/component.ts';
import type { ComposeComponent } from '../../src/system/types.ts';
import { dockerCorner, IDLE_SCRIPT } from '../support/docker.ts';
import type { DockerCorner } from '../support/docker.ts';
import { begun, nextRunOn, type Engine } from './after-run.ts';
import { memorySink } from './volume-artifacts.ts';

/** Of the first restore. */
const RUN = '5a3c8f7e-0000-4000-8000-000000000001';

let corner: DockerCorner;
let root: string;
let directory: string;
let project: string;
let context: KindContext;
let count = 0;
const networks: string[] = [];

beforeAll(async () => {
  corner = await dockerCorner();
  root = await mkdtemp(join(tmpdir(), 'holdfast-compose-'));
});
afterAll(async () => {
  await corner.cleanUp();
  for (const name of networks) {
    // One that a failed test had removed already is gone.
    await corner.raw
      .getNetwork(name)
      .remove()
      .catch((error: unknown) => expect(error).toMatchObject({ statusCode: 404 }));
  }
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  project = `hf${corner.id}p${++count}`;
  directory = join(root, project);
  await mkdir(join(directory, 'env'), { recursive: true });
  await writeFile(join(directory, 'compose.yaml'), composeFile());
  await writeFile(join(directory, '.env'), 'PASSWORD=old');
  await writeFile(join(directory, 'env/web.env'), 'MODE=old');
  await chmod(join(directory, '.env'), 0o600);
  context = {
    signal: new AbortController().signal,
    report: () => undefined,
    docker: () => corner.docker,
    stateDirectory: join(root, `${project}-state`),
    system: 'test',
  };
});
afterEach(async () => {
  for (const { id } of await corner.docker.containersOf({ project })) await corner.docker.removeContainer(id);
});

function composeFile(): string {
  return [
    'services:',
    '  ledger: { image: ledger }',
    '  web: { image: web, env_file: [env/web.env, { path: ../outside.env, required: false }] }',
    'secrets: { token: { file: ./token.txt } }',
  ].join('\n');
}

function component(more: Partial<ComposeComponent> = {}): ComposeComponent {
  return {
    name: 'stack',
    kind: 'compose',
    tier: 'important',
    host: 'local',
    after: [],
    project,
    directory,
    files: ['compose.yaml'],
    healthTimeoutSeconds: 60,
    saveImages: false,
    ...more,
  };
}

const labels = (service: string, more = {}): Record<string, string> => ({
  'com.docker.compose.project': project,
  'com.docker.compose.service': service,
  ...more,
});

const text = async (...path: string[]): Promise<string> => await readFile(join(...path), 'utf8');

describe('capture of a Compose project', () => {
  test('[M1] [T6] files, environment files and the inventory are kept; what lies outside or is missing is told', async () => {
    await corner.container({ name: `${project}-web-1`, labels: labels('web') });
    const sink = memorySink();
    const { facts, warnings } = await composeKind.capture(component(), sink, context);
    expect(facts).toMatchObject({ files: 3, containers: 1, running: 1, imagesSaved: false });
    expect(warnings.join('\n')).toMatch(/outside\.env lies outside/);
    expect(warnings.join('\n')).toMatch(/token\.txt is named/);
    expect(JSON.stringify(facts)).not.toMatch(/PASSWORD|MODE/);
    const again = memorySink();
    await composeKind.capture(component(), again, context);
    expect(again.readers.map(({ name, lengthBytes }) => [name, lengthBytes])).toEqual(
      sink.readers.map(({ name, lengthBytes }) => [name, lengthBytes]),
    );
  });

  test('a Compose file that is missing or is no YAML is named', async () => {
    const missing = projectFiles(directory, ['none.yaml']);
    await expect(missing).rejects.toMatchObject({ code: 'SourceMissing' });
    await writeFile(join(directory, 'bad.yaml'), 'services: [');
    await expect(projectFiles(directory, ['bad.yaml'])).rejects.toMatchObject({ code: 'SourceCorrupt' });
  });

  test('files are found wherever a Compose file may name them', () => {
    const document = {
      include: ['a/compose.yaml', { path: ['b.yaml'] }],
      services: { one: { env_file: 'one.env', extends: { file: 'base.yaml', service: 'x' } }, two: null },
      configs: { c: { file: './c.conf' } },
      secrets: { s: { environment: 'S' } },
    };
    expect(namesIn(document, '.')).toEqual({
      composeFiles: ['a/compose.yaml', 'b.yaml', 'base.yaml'],
      others: ['one.env', 'c.conf'],
    });
    expect(namesIn({ services: { one: { env_file: ['x.env'] } } }, 'a').others).toEqual(['a/x.env']);
  });
});

describe('restore of a Compose project', () => {
  test('[M5] files come back beside, are swapped one by one, and taken back; what else lies there is untouched', async () => {
    await corner.container({ name: `${project}-web-1`, labels: labels('web') });
    const sink = memorySink();
    const own = component();
    await composeKind.capture(own, sink, context);
    await writeFile(join(directory, '.env'), 'PASSWORD=new');
    await writeFile(join(directory, 'precious.db'), 'data');
    const beside = await composeKind.restoreBeside(own, sink.readers, { paths: [] }, RUN, context);
    expect(await text(directory, '.env')).toBe('PASSWORD=new');
    expect((await composeKind.checkBeside(own, beside, context)).ok).toBe(true);
    await composeKind.swapIn(own, beside, context);
    await composeKind.swapIn(own, beside, context);
    expect(await text(directory, '.env')).toBe('PASSWORD=old');
    expect((await stat(join(directory, '.env'))).mode & 0o777).toBe(0o600);
    await composeKind.swapBack(own, beside, context);
    await composeKind.swapBack(own, beside, context);
    expect(await text(directory, '.env')).toBe('PASSWORD=new');
    await composeKind.swapIn(own, beside, context);
    const { aside } = await composeKind.commit(own, beside, { keep: true }, context);
    expect(await composeKind.commit(own, beside, { keep: true }, context)).toEqual({ aside });
    expect(await text(aside ?? '', '.env')).toBe('PASSWORD=new');
    expect((await readdir(directory)).sort()).toEqual([
      '.env',
      `.holdfast-aside-${RUN}`,
      'compose.yaml',
      'env',
      'precious.db',
    ]);

    // Of another kind in the same directory: not this one's.
    const other = join(directory, `.holdfast-aside-${RUN}-site`);
    await mkdir(other);
    const [kept, ...more] = await keptAsideOf(own, context);
    expect([kept, more]).toMatchObject([{ restoreId: RUN, place: aside, committed: true, usedBy: [] }, []]);
    const told: string[] = [];
    const asked = { keepSeconds: 0, tell: ({ place }: KeptAside) => Promise.resolve(void told.push(place)) };
    expect(await removeAside(own, { restoreId: RUN }, { ...asked, keepSeconds: 60 }, context)).toMatchObject({
      goes: false,
    });
    expect(await removeAside(own, { restoreId: RUN }, asked, context)).toEqual({ goes: true });
    expect(await removeAside(own, { restoreId: RUN }, asked, context)).toMatchObject({ goes: false });
    expect(told).toEqual([aside]);
    expect((await readdir(directory)).filter((name) => name.startsWith('.holdfast-'))).toEqual([basename(other)]);
  });

  test('[M5] a terminated restore: its directory goes with the next run, not while it may run or is swapped in', async () => {
    const sink = memorySink();
    const own = component();
    const engine: Engine = { open: new Set([RUN]) };
    await composeKind.capture(own, sink, context);
    await begun(own, RUN, engine, context);
    const beside = await composeKind.restoreBeside(own, sink.readers, { paths: [] }, RUN, context);
    const next = async (): Promise<boolean> => {
      await nextRunOn(own, engine, context);
      return (await readdir(directory)).includes(basename(beside.place));
    };
    expect(await next()).toBe(true);
    engine.open.clear();
    await writeFile(join(directory, '.env'), 'PASSWORD=new');
    await composeKind.swapIn(own, beside, context);
    expect(await next()).toBe(true);
    expect(await text(beside.place, '.env')).toBe('PASSWORD=new');
    await (await findSwap(join(context.stateDirectory, 'swaps'), `${RUN}.stack`))?.undo();
    expect(await next()).toBe(false);
    expect(await text(directory, '.env')).toBe('PASSWORD=new');
    expect(await next()).toBe(false);
  });

  test('files into a directory of their own: nothing of the project changes, and no environment of a container is left', async () => {
    await corner.container({ name: `${project}-web-1`, labels: labels('web') });
    const sink = memorySink();
    await composeKind.capture(component(), sink, context);
    const elsewhere = join(root, `${project}-elsewhere`);
    const target = { elsewhere, paths: ['.env'] };
    const beside = await composeKind.restoreBeside(component(), sink.readers, target, 'r5', context);
    expect((await composeKind.checkBeside(component(), beside, context)).ok).toBe(true);
    await composeKind.swapIn(component(), beside, context);
    expect(await composeKind.commit(component(), beside, { keep: true }, context)).toEqual({});
    expect((await readdir(elsewhere)).sort()).toEqual(['.env', '.holdfast-inventory.json']);
    expect(await text(elsewhere, '.holdfast-inventory.json')).toBe('{"restoreId":"r5"}');
    const other = composeKind.restoreBeside(component(), sink.readers, target, 'r6', context);
    await expect(other).rejects.toMatchObject({ code: 'TargetNotEmpty' });
    const unknown = composeKind.restoreBeside(component(), sink.readers, { paths: ['none'] }, 'r7', context);
    await expect(unknown).rejects.toMatchObject({ code: 'BadInput' });
  });

  test('[M6] a new machine: network, volume and containers are made again from the inventory, as Compose knows them', async () => {
    const volume = `${project}_data`;
    const network = `${project}_default`;
    corner.alsoVolume(volume);
    await corner.raw.createVolume({ Name: volume, Labels: labels('', { 'com.docker.compose.volume': 'data' }) });
    await corner.raw.createNetwork({ Name: network, Labels: labels('', { 'com.docker.compose.network': 'default' }) });
    networks.push(network);
    const spec = {
      name: `${project}-web-1`,
      Image: corner.image,
      Cmd: ['sh', '-c', IDLE_SCRIPT],
      Env: ['MODE=old'],
      Labels: labels('web', { 'dev.holdfast.test': corner.id, 'com.docker.compose.config-hash': 'abc' }),
      HostConfig: { Binds: [`${volume}:/data`], NetworkMode: network },
      NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: ['web'] } } },
    };
    await (await corner.raw.createContainer(spec)).start();
    const sink = memorySink();
    const own = component();
    await composeKind.capture(own, sink, context);
    await corner.docker.removeContainer(spec.name);
    await corner.docker.removeVolume(volume);
    await corner.raw.getNetwork(network).remove();
    await rm(directory, { recursive: true });

    const beside = await composeKind.restoreBeside(own, sink.readers, { paths: [] }, 'r2', context);
    const { checks } = await composeKind.checkBeside(own, beside, context);
    expect(checks.at(-1)?.detail).toContain('1 of 1 containers are missing');
    await composeKind.swapIn(own, beside, context);
    await composeKind.swapIn(own, beside, context);
    expect(await text(directory, 'env/web.env')).toBe('MODE=old');
    expect((await corner.docker.volume(volume))?.labels).toMatchObject({ 'com.docker.compose.volume': 'data' });
    await corner.docker.start(spec.name);
    const made = await corner.docker.describe(spec.name);
    expect(made?.State.Status).toBe('running');
    expect(made?.Config.Env).toContain('MODE=old');
    expect(made?.Config.Labels).toMatchObject({ 'com.docker.compose.config-hash': 'abc' });
    expect(made?.NetworkSettings.Networks[network]?.Aliases).toContain('web');
    expect(made?.Mounts[0]?.Name).toBe(volume);
  });

  test('[T6] [G3] [M6] an image that is neither here nor in the backup is told before anything is stopped; a saved one is loaded', async () => {
    const image = `holdfast-test:${project}`;
    await corner.raw.getImage(corner.image).tag({ repo: 'holdfast-test', tag: project });
    const web = await corner.raw.createContainer({
      name: `${project}-web-1`,
      Image: image,
      Cmd: ['sh', '-c', IDLE_SCRIPT],
      Labels: labels('web', { 'dev.holdfast.test': corner.id }),
      HostConfig: { NetworkMode: 'none' },
    });
    const [without, saved] = [memorySink(), memorySink()];
    await composeKind.capture(component(), without, context);
    await composeKind.capture(component({ saveImages: true }), saved, context);
    await web.remove({ force: true });
    await corner.raw.getImage(image).remove();
    const lacking = await composeKind.restoreBeside(component(), without.readers, { paths: [] }, 'r3', context);
    const report = await composeKind.checkBeside(component(), lacking, context);
    expect(report).toMatchObject({ ok: false });
    expect(report.checks.at(-1)?.detail).toContain(image);
    await composeKind.discard(component(), lacking, context);
    const whole = await composeKind.restoreBeside(component(), saved.readers, { paths: [] }, 'r4', context);
    expect((await composeKind.checkBeside(component(), whole, context)).ok).toBe(true);
    await composeKind.swapIn(component(), whole, context);
    expect(await corner.state(`${project}-web-1`)).toBe('created');
    await composeKind.swapBack(component(), whole, context);
    expect(await corner.docker.inspect(`${project}-web-1`)).toBeUndefined();
    await composeKind.discard(component(), whole, context);
    expect((await readdir(directory)).sort()).toEqual(['.env', 'compose.yaml', 'env']);
    await corner.raw.getImage(image).remove();
  });
});
