import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { filesKind } from '../../src/sources/kinds/files.ts';
import type { FilesComponent } from '../../src/system/types.ts';
import { systemFrom } from '../system/small-system.ts';
import { contextIn, EVERYTHING, MemorySink } from './kinds-helpers.ts';
import { allocatedBytes, isRoot, makeSampleTree, scratchDirectory, treeFacts } from './sample-tree.ts';

let scratch: ReturnType<typeof scratchDirectory>;

beforeEach(() => {
  scratch = scratchDirectory('machine');
});
afterEach(() => scratch.remove());

const systemOf = (root: string) =>
  systemFrom('machine', [
    'stores: { nas: { kind: directory, path: /mnt/nas } }',
    'components:',
    '  machine:',
    '    kind: files',
    `    path: ${root}`,
    '    exclude: [/proc/**, /var/cache/**, /var/tmp/**, .cache]',
    '    exceptComponents: true',
    `  votes: { kind: sqlite, path: "${root}/opt/app/data/votes.db" }`,
    `  uploads: { kind: files, path: "${root}/srv/up{load}s" }`,
    `  cluster: { kind: postgres, method: base, dataDirectory: ${root}/var/lib/pg, server: { address: /run, backup: { user: b } } }`,
    `  config: { kind: files, path: "${root}/opt/app", exclude: [data/**, logs/**] }`,
    'plans: { weekly: { components: [machine], stores: [nas] } }',
  ]);

test('[G3] what other components hold is left to them, but nothing that one of them passes over', () => {
  const [machine] = systemOf('/').components as [FilesComponent];
  expect(machine.exclude.slice(4)).toEqual([
    ...['', '-wal', '-shm', '-journal'].map((end) => `/opt/app/data/votes.db${end}`),
    '/srv/up\\{load\\}s',
    '/var/lib/pg',
  ]);
});

test.runIf(isRoot)(
  '[G3] a whole machine, restored to another root: equal in everything but what was to be left out',
  async () => {
    const root = join(scratch.path, 'root');
    const left = ['proc/1', 'var/cache/apt', 'var/tmp', 'home/ann/.cache', 'srv/up{load}s', 'var/lib/pg'];
    for (const directory of [...left, 'home/ann/files', 'opt/app/data', 'opt/app/logs', 'mnt/other', 'run']) {
      mkdirSync(join(root, directory), { recursive: true });
    }
    makeSampleTree(join(root, 'home/ann/files'));
    // Device nodes are captured, and brought back into volumes only.
    rmSync(join(root, 'home/ann/files/null'));
    for (const directory of left) writeFileSync(join(root, directory, 'file'), 'left out');
    writeFileSync(join(root, 'opt/app/logs/a.log'), 'nobody else holds it');
    writeFileSync(join(root, 'opt/app/config'), 'twice');
    new DatabaseSync(join(root, 'opt/app/data/votes.db')).close();
    appendFileSync(join(root, 'opt/app/data/votes.db-wal'), 'torn');
    const socket = createServer().listen(join(root, 'run/app.sock'));
    await once(socket, 'listening');
    expect(spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', join(root, 'mnt/other')]).status).toBe(0);
    const sink = new MemorySink();
    const [machine] = systemOf(root).components as [FilesComponent];
    const context = contextIn(scratch.path);
    try {
      writeFileSync(join(root, 'mnt/other/file'), 'of another filesystem');
      const { warnings } = await filesKind.capture(machine, sink, context);
      expect(warnings.toSorted().join()).toMatch(/1 mount points .*mnt\/other.*1 sockets .*app\.sock/);
    } finally {
      spawnSync('umount', [join(root, 'mnt/other')]);
      socket.close();
      await once(socket, 'close');
    }
    const elsewhere = join(scratch.path, 'elsewhere');
    const beside = await filesKind.restoreBeside(machine, sink.readers, { ...EVERYTHING, elsewhere }, 'r1', context);
    expect(await filesKind.checkBeside(machine, beside, context)).toMatchObject({ ok: true });

    for (const gone of [...left.slice(0, 3).map((name) => `${name}/file`), ...left.slice(3)]) {
      expect(existsSync(join(elsewhere, gone)), gone).toBe(false);
      rmSync(join(root, gone), { recursive: true });
    }
    for (const name of [
      'proc/1',
      'var/cache/apt',
      'opt/app/data/votes.db',
      'opt/app/data/votes.db-wal',
      'run/app.sock',
    ]) {
      rmSync(join(root, name), { recursive: true, force: true });
    }
    // The times of directories from which something was taken just now are another matter.
    const facts = (of: string): string[] =>
      treeFacts(of).filter((line) => /^"\.\/(?:home\/ann\/files|opt\/app\/(?:logs|config))/.test(line));
    expect(facts(elsewhere)).toEqual(facts(root));
    expect(facts(elsewhere).length).toBeGreaterThan(330);
    const names = (of: string): string[] => treeFacts(of).map((line) => line.slice(0, line.indexOf('" ')));
    expect(names(elsewhere)).toEqual(names(root));
    const sparse = 'home/ann/files/sparse';
    expect(allocatedBytes(join(elsewhere, sparse))).toBeLessThan(1_000_000);
    await filesKind.commit(machine, beside, { keep: true }, context);
  },
);
