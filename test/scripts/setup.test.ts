import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cached, toolPath } from '../../scripts/setup/cache.ts';
import { dockerAnswers, engineAddress } from '../../scripts/setup/docker.ts';
import { withLock } from '../../scripts/setup/lock.ts';
import { makeNoDatabaseServer, missingPrograms, startNoLoginServer } from '../../scripts/setup/packages.ts';
import { run } from '../../scripts/setup/run.ts';
import { checkParts } from '../../scripts/setup/test-server.ts';
import { VERSIONS } from '../../scripts/setup/versions.ts';
import { TEMPORAL_CLI_VERSION } from '../../src/engine/tools.ts';

const ROOT = path.resolve(import.meta.dirname, '..', '..');
const TOOL = { name: 'hammer', version: '1.0.0', program: 'hammer' };

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'holdfast-setup-'));
  vi.stubEnv('HOLDFAST_CACHE', path.join(scratch, 'cache'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true, force: true });
});

async function makeHammer(directory: string): Promise<void> {
  writeFileSync(path.join(directory, 'hammer'), '#!/bin/sh\n', { mode: 0o755 });
  await Promise.resolve();
}

describe('the cache of tools', () => {
  it('several set-ups at once: the tool is made once and is complete for all of them', async () => {
    let made = 0;
    const make = async (directory: string): Promise<void> => {
      made += 1;
      await makeHammer(directory);
    };
    const paths = await Promise.all([1, 2, 3].map(() => cached(TOOL, make)));
    expect(new Set(paths)).toEqual(new Set([toolPath(TOOL)]));
    expect(made).toBe(1);
    expect(readdirSync(path.join(scratch, 'cache', 'tools'))).toEqual(['hammer-1.0.0']);
  });

  it('making it fails: nothing half-made is left, and the next try makes it', async () => {
    const failing = cached(TOOL, (directory) => {
      writeFileSync(path.join(directory, 'part'), '');
      return Promise.reject(new Error('no network'));
    });
    await expect(failing).rejects.toThrow('no network');
    expect(readdirSync(path.join(scratch, 'cache', 'tools'))).toEqual([]);
    expect(existsSync(await cached(TOOL, makeHammer))).toBe(true);
  });

  it('something without its program lies there: replaced', async () => {
    mkdirSync(path.dirname(toolPath(TOOL)), { recursive: true });
    expect(existsSync(await cached(TOOL, makeHammer))).toBe(true);
  });
});

describe('locks between processes', () => {
  it('an owner that was killed: taken over; one that lives: waited for', async () => {
    const lock = path.join(scratch, 'lock');
    const script = `import { withLock } from '${ROOT}/scripts/setup/lock.ts';
      await withLock('${lock}', async () => { console.log('held'); await new Promise((r) => setTimeout(r, 600_000)); });`;
    const owner = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(owner.stdout, 'data');

    let taken = false;
    let waited = false;
    const waiting = withLock(
      lock,
      () => {
        taken = true;
        return Promise.resolve();
      },
      () => (waited = true),
    );
    await vi.waitFor(() => {
      expect(waited).toBe(true);
    });
    expect(taken).toBe(false);
    owner.kill('SIGKILL');
    await waiting;
    expect(taken).toBe(true);
    expect(existsSync(lock)).toBe(false);
  });
});

describe('what is fetched is checked', () => {
  const sum = (text: string): string => createHash('sha256').update(text).digest('hex');

  it('parts as pinned: accepted; another, a changed and a missing one: named', () => {
    const parts = path.join(scratch, 'lib');
    mkdirSync(parts);
    const sums = `${sum('a')}  a.jar\n${sum('b')}  b.jar\n`;
    writeFileSync(path.join(parts, 'a.jar'), 'a');
    expect(() => checkParts(parts, sums)).toThrow('missing: b.jar');
    writeFileSync(path.join(parts, 'b.jar'), 'x');
    expect(() => checkParts(parts, sums)).toThrow('b.jar is not the pinned one');
    writeFileSync(path.join(parts, 'b.jar'), 'b');
    checkParts(parts, sums);
    writeFileSync(path.join(parts, 'c.jar'), 'c');
    expect(() => checkParts(parts, sums)).toThrow('c.jar is not the pinned one');
  });

  it('the files that pin the tools name the versions that are asked for', () => {
    const read = (file: string): string => readFileSync(path.join(ROOT, 'scripts', 'setup', file), 'utf8');
    expect(TEMPORAL_CLI_VERSION).toBe(VERSIONS.temporal);
    expect(read('go/temporal/go.mod')).toContain(`github.com/temporalio/cli v${VERSIONS.temporal}`);
    expect(read('go/temporal/go.sum')).toContain(`github.com/temporalio/cli v${VERSIONS.temporal} h1:`);
    expect(read('go/versitygw/go.mod')).toContain(`github.com/versity/versitygw v${VERSIONS.versitygw}`);
    expect(read('go/versitygw/go.sum')).toContain(`github.com/versity/versitygw v${VERSIONS.versitygw} h1:`);
    expect(read('maven/pom.xml')).toContain(`<version>${VERSIONS.testServer}</version>`);
    expect(read('maven/sha256sums')).toContain(`temporal-test-server-${VERSIONS.testServer}.jar`);
  });

  it('a program that fails: the error has its last words', async () => {
    await expect(run('sh', ['-c', 'echo broken pipe dream >&2; exit 7'])).rejects.toThrow(
      /exit 7[^]*broken pipe dream/,
    );
    expect(missingPrograms(['zstd', 'age'])).toEqual([]);
  });
});

describe('PostgreSQL for the tests', () => {
  it('another version on PATH is not the one wanted; a place that was named is looked at, and only that', () => {
    expect(missingPrograms(['postgres'])).toEqual([]);
    writeFileSync(path.join(scratch, 'postgres'), '#!/bin/sh\n', { mode: 0o755 });
    vi.stubEnv('HOLDFAST_POSTGRES_BIN', path.join(scratch, 'none'));
    vi.stubEnv('PATH', `${scratch}:${process.env['PATH'] ?? ''}`);
    expect(missingPrograms(['postgres'])).toEqual(['postgres']);
    vi.stubEnv('HOLDFAST_POSTGRES_BIN', scratch);
    expect(missingPrograms(['postgres'])).toEqual([]);
  });

  it('before its package is installed: no server is made by it, unless an administrator has said otherwise', () => {
    const settings = path.join(scratch, 'etc', 'createcluster.conf');
    makeNoDatabaseServer(settings);
    expect(readFileSync(settings, 'utf8')).toMatch(/^create_main_cluster = false$/m);
    writeFileSync(settings, 'create_main_cluster = true\n');
    makeNoDatabaseServer(settings);
    expect(readFileSync(settings, 'utf8')).toBe('create_main_cluster = true\n');
  });
});

describe('the SSH server for the tests', () => {
  it('before its package is installed: the machine is not opened to logins, unless an administrator has said otherwise', () => {
    const units = path.join(scratch, 'units');
    mkdirSync(units);
    writeFileSync(path.join(units, 'ssh.socket'), 'mine');
    startNoLoginServer(units);
    startNoLoginServer(units);
    expect(readlinkSync(path.join(units, 'ssh.service'))).toBe('/dev/null');
    expect(readFileSync(path.join(units, 'ssh.socket'), 'utf8')).toBe('mine');
  });
});

describe('the Docker engine', () => {
  it('DOCKER_HOST in its forms: understood; nothing there: no answer', async () => {
    expect(engineAddress(undefined)).toEqual({ socketPath: '/var/run/docker.sock' });
    expect(engineAddress('unix:///run/user/1/docker.sock')).toEqual({ socketPath: '/run/user/1/docker.sock' });
    expect(engineAddress('tcp://10.0.0.2:2376')).toEqual({ host: '10.0.0.2', port: 2376 });
    expect(engineAddress('tcp://10.0.0.2')).toEqual({ host: '10.0.0.2', port: 2375 });
    vi.stubEnv('DOCKER_HOST', `unix://${scratch}/none.sock`);
    expect(await dockerAnswers()).toBe(false);
  });
});

describe('the entry that needs nothing installed', () => {
  function tree(): string {
    const root = path.join(scratch, 'tree');
    mkdirSync(path.join(root, 'scripts'), { recursive: true });
    for (const file of ['package.json', 'package-lock.json', 'scripts/start.mjs']) {
      writeFileSync(path.join(root, file), readFileSync(path.join(ROOT, file)));
    }
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(root, 'node_modules'));
    return root;
  }

  it('everything installed: the program runs on the pinned Node with its arguments, and its exit code is kept', () => {
    const root = tree();
    writeFileSync(
      path.join(root, 'scripts', 'probe.ts'),
      "const words: string[] = process.argv.slice(2);\nconsole.log(process.version, words.join('|'));\nprocess.exitCode = 7;\n",
    );
    const done = spawnSync(process.execPath, ['scripts/start.mjs', 'scripts/probe.ts', 'a b', '--c'], {
      cwd: root,
      encoding: 'utf8',
    });
    const { dependencies } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    expect(done.stdout).toBe(`v${dependencies['node'] ?? ''} a b|--c\n`);
    expect(done.status).toBe(7);
  });

  it('npm can not be started and packages are missing: said, with exit code 1', () => {
    const root = tree();
    rmSync(path.join(root, 'node_modules'));
    const empty = path.join(scratch, 'empty');
    mkdirSync(empty);
    chmodSync(empty, 0o755);
    const done = spawnSync(process.execPath, ['scripts/start.mjs', 'scripts/probe.ts'], {
      cwd: root,
      encoding: 'utf8',
      env: { PATH: empty },
    });
    expect(done.stderr).toMatch(/missing: node_modules[^]*npm cannot be started/);
    expect(done.status).toBe(1);
    expect(existsSync(path.join(root, 'node_modules.lock'))).toBe(false);
  });
});
