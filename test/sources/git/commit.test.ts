/** Text configuration in a real git repository: history, secrets that stay out, repeats, and a remote. */
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { variablesFile } from '../../../src/activities/commit-configuration.ts';
import { commitSnapshot, ensureRepository, push, type Committed } from '../../../src/sources/git/commit.ts';
import { textFilesOf } from '../../../src/sources/git/text-files.ts';
import type { FilesComponent } from '../../../src/system/types.ts';

const signal = new AbortController().signal;
let directory: string;
let live: string;
let repository: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-git-'));
  live = path.join(directory, 'live');
  repository = path.join(directory, 'repositories', 'config.git');
  await mkdir(path.join(live, 'config'), { recursive: true });
  await ensureRepository(repository, signal);
});

afterEach(() => rm(directory, { recursive: true, force: true }));

function git(...args: string[]): string {
  return execFileSync('git', ['--git-dir', repository, ...args], { encoding: 'utf8' });
}

function component(): FilesComponent {
  const common = { name: 'config', tier: 'important', host: 'here', after: [] } as const;
  return { ...common, kind: 'files', path: live, include: [], exclude: [], minimumAgeSeconds: 0 };
}

async function commit(id: string): Promise<Committed & { leftOut: readonly { path: string; why: string }[] }> {
  const config = { include: ['config/**', '*.yaml', '.env'], exclude: ['*.bak'] };
  const { files, leftOut } = await textFilesOf([component()], config, signal);
  const done = await commitSnapshot(repository, { branch: 'production', files, message: `backup ${id}`, id }, signal);
  return { ...done, leftOut };
}

describe('[T5] [B2] configuration in git', () => {
  test('files with their modes; what is no text, no match or a secret stays out and is named', async () => {
    await writeFile(path.join(live, 'config', 'app.yaml'), 'level: info\n');
    await writeFile(path.join(live, 'config', 'straße.yaml'), 'name: ü\n');
    await writeFile(path.join(live, 'config', 'run'), '#!/bin/sh\n');
    await chmod(path.join(live, 'config', 'run'), 0o755);
    await writeFile(path.join(live, 'config', 'db.yaml'), 'password: hunter22\n');
    await writeFile(path.join(live, 'config', 'logo'), Buffer.from([0, 1, 2]));
    await writeFile(path.join(live, 'config', 'old.bak'), 'old\n');
    await mkdir(path.join(live, 'config', '.git'));
    await writeFile(path.join(live, 'config', '.git', 'config'), '[core]\n');
    await writeFile(path.join(live, '.env'), 'PORT=80\n');
    await writeFile(path.join(live, 'notes.txt'), 'not asked for\n');
    const { leftOut } = await commit('b1');
    expect(
      git('-c', 'core.quotePath=false', 'ls-tree', '-r', '--format=%(objectmode) %(path)', 'production')
        .trim()
        .split('\n'),
    ).toEqual(['100644 config/config/app.yaml', '100755 config/config/run', '100644 config/config/straße.yaml']);
    expect(leftOut.map(({ path: name }) => name).toSorted()).toEqual([
      'config/.env',
      'config/config/.git/config',
      'config/config/db.yaml',
      'config/config/logo',
    ]);
    expect(git('log', '-p', '--all')).not.toContain('hunter22');
    expect(git('fsck', '--strict')).toBe('');
  });

  test('a change makes the next version, nothing new makes none, and what went is gone', async () => {
    await writeFile(path.join(live, 'config', 'app.yaml'), 'level: info\n');
    const first = await commit('b1');
    expect(first.unchanged).toBe(false);
    expect(await commit('b1')).toMatchObject({ commit: first.commit, unchanged: true });
    await writeFile(path.join(live, 'app.yaml'), 'moved: true\n');
    await rm(path.join(live, 'config', 'app.yaml'));
    const second = await commit('b2');
    expect(second).toMatchObject({ unchanged: false });
    expect(git('rev-list', 'production').trim().split('\n')).toEqual([second.commit, first.commit]);
    expect(git('ls-tree', '-r', '--name-only', 'production').trim()).toBe('config/app.yaml');
    expect(git('for-each-ref', 'refs/holdfast').trim()).toBe('');
  });

  test('git ends before it has read everything: a failure with its words, and not a wait for ever', async () => {
    const text = 'x'.repeat(1024 * 1024);
    const files = Array.from({ length: 20 }, (_, n) => ({ path: `a/${n}`, executable: false, text }));
    const snapshot = {
      branch: 'main',
      files: [{ path: 'a//b', executable: false, text }, ...files],
      message: 'm',
      id: 'b1',
    };
    await expect(commitSnapshot(repository, snapshot, signal)).rejects.toMatchObject({ code: 'GitFailed' });
  });

  test('a push that fails: not a word of the remote, in whose address a token may stand', async () => {
    const remote = 'http://hunter22@127.0.0.1:1/config.git';
    const error: unknown = await push(repository, remote, 'production', signal).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'GitFailed' });
    expect(inspect(error)).not.toContain('hunter22');
  });

  test('the remote gets it; one that is not there is a failure with the words of git', async () => {
    const remote = path.join(directory, 'remote.git');
    await writeFile(path.join(live, 'app.yaml'), 'a: 1\n');
    const { commit: made } = await commit('b1');
    await expect(push(repository, remote, 'production', signal)).rejects.toMatchObject({ code: 'GitFailed' });
    await ensureRepository(remote, signal);
    await push(repository, remote, 'production', signal);
    expect(execFileSync('git', ['--git-dir', remote, 'rev-parse', 'production'], { encoding: 'utf8' }).trim()).toBe(
      made,
    );
  });

  test('variables: only those that were asked for, secrets by their name alone', () => {
    const [file] = variablesFile(['APP_*', 'HOME'], {
      APP_LEVEL: 'in"fo',
      APP_DB_PASSWORD: 'hunter22',
      APP_URL: 'postgres://u:s3cr3t@db/x',
      HOMER: 'no',
      PATH: '/bin',
      HOME: '/root',
    });
    expect(file?.text).toBe(
      ['# APP_DB_PASSWORD is set', 'APP_LEVEL="in\\"fo"', '# APP_URL is set', 'HOME="/root"', ''].join('\n'),
    );
  });
});
