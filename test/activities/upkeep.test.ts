/** The upkeep of files, on real workers: old ones go only when a store has given them back, changed ones are backed up. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { link, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HousekeepingResult, Progress, VerifyStoreResult } from '../../src/workflows/contract.ts';
import { eventually } from '../workflows/stage.ts';
import { makeSite, type Site } from './site.ts';

let site: Site;
let logs: string;

const OLD_DAYS = 3;

beforeAll(async () => {
  site = await makeSite((data) =>
    [
      'components:',
      '  logs:',
      '    kind: files',
      `    path: ${data('logs')}`,
      "    exclude: ['*.tmp']",
      '    minimumAge: 1d',
      '  checkpoints:',
      '    kind: files',
      `    path: ${data('checkpoints')}`,
      '  settings:',
      '    kind: files',
      `    path: ${data('settings')}`,
      'plans:',
      '  logs: { components: [logs], stores: [disk] }',
      '  checkpoints: { components: [checkpoints], stores: [disk] }',
      '  settings: { components: [settings], stores: [disk], onChange: true }',
      'housekeeping:',
      '  old-logs: { component: logs, olderThan: 1d, keepAtLeast: 1 }',
      '  checkpoints: { component: checkpoints, units: entries, olderThan: 7d }',
      '  old-settings: { component: settings, olderThan: 1d, keepAtLeast: 0, stores: [disk] }',
    ].join('\n'),
  );
  logs = site.data('logs');
  await mkdir(path.join(logs, 'archive'), { recursive: true });
  await Promise.all([site.startWorker('orchestration'), site.startWorker('host')]);
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
});

async function old(name: string, text: string, days = OLD_DAYS): Promise<void> {
  const file = path.join(logs, name);
  await writeFile(file, text);
  const at = new Date(Date.now() - days * 86_400_000);
  await utimes(file, at, at);
}

const housekeep = (input: object): Promise<HousekeepingResult> => site.run<HousekeepingResult>('housekeeping', input);

describe('[B3] [T3] housekeeping', () => {
  test('nothing is stored yet: nothing goes, and it says why', async () => {
    await old('first.log', 'a line\n');
    await old('second.log', 'a line\n');
    await expect(housekeep({ task: 'old-logs' })).rejects.toMatchObject({ cause: { type: 'BackupMissing' } });
    expect(await readdir(logs)).toEqual(expect.arrayContaining(['first.log', 'second.log']));
  });

  test('a dry run removes nothing; then go just those that the backup gives back', async () => {
    await old('archive/deep.log', 'deep\n'.repeat(300_000));
    await old('open.log', 'somebody still writes\n');
    await old('changed.log', 'as captured\n');
    await old('twin.log', 'two names\n');
    await link(path.join(logs, 'twin.log'), path.join(logs, 'twin-2.log'));
    await writeFile(path.join(logs, 'current.log'), 'today\n');
    await writeFile(path.join(logs, 'scratch.tmp'), 'left out\n');
    await site.run('backup', { plan: 'logs' });
    await old('changed.log', 'As captured\n');
    await old('unstored.log', 'came after the backup\n');
    const reader = spawn('sh', ['-c', 'exec 3<"$1"; echo open; exec sleep 600', 'sh', path.join(logs, 'open.log')]);
    try {
      await once(reader.stdout, 'data');
      const before = await readdir(logs, { recursive: true });

      const planned = await housekeep({ task: 'old-logs', dryRun: true });
      const kept = { young: 1, newest: 0, special: 2, 'not-stored': 1, differs: 1, 'in-use': 1, changed: 0 };
      expect(planned).toMatchObject({ outcome: 'planned', removed: 3, kept, stores: [{ store: 'disk' }] });
      expect(await readdir(logs, { recursive: true })).toEqual(before);

      const done = await housekeep({ task: 'old-logs' });
      const removedBytes = 5 * 300_000 + 7 + 7;
      expect(done).toMatchObject({ outcome: 'done', removed: 3, removedBytes, kept, failed: 0 });
      const gone = ['first.log', 'second.log', path.join('archive', 'deep.log')];
      expect((await readdir(logs, { recursive: true })).toSorted()).toEqual(
        before.filter((name) => !gone.includes(name)).toSorted(),
      );
      const list = (await readFile(done.list, 'utf8')).trim().split('\n');
      const became = list.map((line) => JSON.parse(line) as { path: string; became: string });
      expect(
        became
          .filter((one) => one.became === 'removed')
          .map((one) => path.relative(logs, one.path))
          .toSorted(),
      ).toEqual(gone.toSorted());
    } finally {
      reader.kill('SIGKILL');
      await once(reader, 'exit');
    }
    expect(await housekeep({ task: 'old-logs' })).toMatchObject({ outcome: 'done', removed: 1 });
  });

  test('a checkpoint is a directory: it goes as a whole or not at all, and two stay', async () => {
    const checkpoints = site.data('checkpoints');
    for (const [index, days] of [40, 30, 20, 10, 1].entries()) {
      const directory = path.join(checkpoints, `cp-${index}`);
      await mkdir(path.join(directory, 'data'), { recursive: true });
      await writeFile(path.join(directory, 'data', 'database.db'), `state ${index}`);
      await writeFile(path.join(directory, 'manifest.json'), '{}');
      const at = new Date(Date.now() - days * 86_400_000);
      await utimes(path.join(directory, 'data', 'database.db'), at, at);
      await utimes(path.join(directory, 'manifest.json'), at, at);
    }
    await site.run('backup', { plan: 'checkpoints' });
    await writeFile(path.join(checkpoints, 'cp-1', 'manifest.json'), '{"later":1}');
    const at = new Date(Date.now() - 29 * 86_400_000);
    await utimes(path.join(checkpoints, 'cp-1', 'manifest.json'), at, at);
    const done = await housekeep({ task: 'checkpoints' });
    expect(done).toMatchObject({ outcome: 'done', removed: 2, kept: { young: 1, newest: 1, differs: 1 } });
    expect((await readdir(checkpoints)).toSorted()).toEqual(['cp-1', 'cp-3', 'cp-4']);
  });

  test('[B10] a checklist: the program answers, people sign, and the report lies in the store', async () => {
    const say = async (
      ...args: string[]
    ): Promise<{ outcome: string; points: readonly { id: string; state: string }[] }> => {
      const text = await site
        .holdfast('checklist', site.system, 'restore-test', '--json', ...args)
        .catch((error: unknown) => {
          return (error as { stdout: string }).stdout;
        });
      return JSON.parse(text) as Awaited<ReturnType<typeof say>>;
    };
    const stateOf = (said: Awaited<ReturnType<typeof say>>, point: string): string | undefined =>
      said.points.find(({ id }) => id === point)?.state;
    expect(stateOf(await say(), 'restored')).toBe('fail');
    await site.run('restore', { mode: 'verify', plan: 'logs' });
    const tested = await say();
    expect(stateOf(tested, 'restored')).toBe('pass');
    expect(stateOf(tested, 'samples')).toBe('open');
    const signed = await say('--sign', 'samples', '--by', 'ann', '--note', 'ten records');
    expect(stateOf(signed, 'samples')).toBe('signed');
    expect(stateOf(await say('--show'), 'samples')).toBe('signed');
    const whole = await site.run<VerifyStoreResult>('verifyStore', { all: true });
    expect(whole).toMatchObject({ ok: true, stores: [{ bad: [] }] });
    const wrong = await site
      .holdfast('checklist', site.system, 'restore-test', '--sign', 'restored')
      .catch((error: unknown) => error);
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no point that a person signs for') as string,
    });
  });

  test('the only copy rots: nothing is removed on the word of a catalogue', async () => {
    await old('precious.log', 'precious\n'.repeat(1000));
    await site.run('backup', { plan: 'logs' });
    const chunks = path.join(site.directory, 'store', 'chunks');
    for (const entry of await readdir(chunks, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const chunk = path.join(entry.parentPath, entry.name);
      const bytes = await readFile(chunk);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      await rm(chunk);
      await writeFile(chunk, bytes);
    }
    await expect(housekeep({ task: 'old-logs' })).rejects.toMatchObject({ cause: { type: 'ObjectCorrupt' } });
    expect(await readdir(logs)).toContain('precious.log');
  });

  test('the command says what it did; a task that is not there is a mistake with advice', async () => {
    const wrong = await site.holdfast('housekeep', site.system, 'old-log').catch((error: unknown) => error);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean old-logs?') as string });
    await mkdir(site.data('settings'), { recursive: true });
    const said = await site.holdfast('housekeep', site.system, 'old-settings');
    expect(said).toContain('removed 0 files of settings');
  });
});

interface Listed {
  readonly backups: readonly { readonly id: string; readonly plan: string }[];
}

describe('[M2] [T5] files that change', () => {
  test('a backup at once, after each change one more, none while nothing changes; the plan ends it', async () => {
    const settings = site.data('settings');
    await mkdir(settings, { recursive: true });
    await writeFile(path.join(settings, 'app.yaml'), 'level: 1\n');
    const made = async (): Promise<number> => {
      const { backups } = JSON.parse(await site.holdfast('list', site.system, '--json')) as Listed;
      return backups.filter(({ plan }) => plan === 'settings').length;
    };
    const handle = await site.start('followChanges', { plan: 'settings' });
    const watches = (what: string): Promise<true> =>
      eventually(what, async () => {
        const { phase } = await handle.query<Progress>('progress');
        return phase === 'watch' && (await made()) > 0 ? true : undefined;
      });
    await watches('the first backup is made');
    expect(await made()).toBe(1);

    await writeFile(path.join(settings, 'app.yaml'), 'level: 2\n');
    await mkdir(path.join(settings, 'deep', 'er'), { recursive: true });
    await writeFile(path.join(settings, 'deep', 'er', 'more.yaml'), 'more: true\n');
    await eventually('the change is backed up', async () => ((await made()) >= 2 ? true : undefined));
    await watches('it watches again');
    expect(await made()).toBe(2);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
  });
});
