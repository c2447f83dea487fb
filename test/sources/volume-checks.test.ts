import { chmod, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { checkData } from '../../src/sources/checks/index.ts';
import { runProgram } from '../../src/sources/checks/program.ts';
import { parseSuperblock } from '../../src/sources/checks/superblock.ts';
import { checkTigerBeetle } from '../../src/sources/checks/tigerbeetle.ts';
import { binaryRunner } from '../../src/sources/checks/tigerbeetle-runner.ts';
import type { CheckReport, KindContext } from '../../src/sources/kinds/component.ts';
import { RECORD_BYTES, RING_OFFSET } from '../../sample/ledger/layout.ts';
import { createLedger, Ledger } from '../../sample/ledger/ledger.ts';
import { loadTransfer } from '../../sample/ledger/load.ts';

const STAND_IN = fileURLToPath(new URL('./tigerbeetle-stand-in.ts', import.meta.url));
let root: string;
let data: string;
let binary: string;
let cancel: AbortController;
let context: KindContext;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-checks-'));
  binary = join(root, 'tigerbeetle');
  await writeFile(binary, `#!/bin/sh\nexec ${process.execPath} ${STAND_IN} "$@"\n`);
  await chmod(binary, 0o755);
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  data = await mkdtemp(join(root, 'data-'));
  cancel = new AbortController();
  context = {
    signal: cancel.signal,
    report: () => undefined,
    docker: () => {
      throw new Error('no engine is needed here');
    },
    stateDirectory: join(root, 'state'),
    system: 'test',
  };
});

const names = (report: CheckReport): string[] => report.checks.map(({ name, ok }) => `${name}: ${ok ? 'ok' : 'bad'}`);

async function dataFile(facts: object): Promise<string> {
  const file = join(data, '0_0.tigerbeetle');
  await writeFile(file, JSON.stringify({ replicaCount: 1, storageSize: 10, state: 'good', ...facts }));
  return file;
}

describe('TigerBeetle: its own checks, in the order that works', () => {
  const check = () => ({ kind: 'tigerbeetle', file: '0_0.tigerbeetle', binary }) as const;

  test('a good crash image: passes, on a scratch copy, and the file itself is as it was', async () => {
    const file = await dataFile({});
    const before = await readFile(file);
    const report = await checkData(check(), data, context);
    expect(names(report)).toEqual([
      'superblock: ok',
      'one replica: ok',
      'size: ok',
      'integrity without the log: ok',
      'starts: ok',
      'answers: ok',
      'integrity after recovery: ok',
    ]);
    expect(report.checks[0]?.detail).toContain('cluster 42');
    expect(await readFile(file)).toEqual(before);
    expect(await readdir(data)).toEqual(['0_0.tigerbeetle']);
    expect(await readdir(join(context.stateDirectory, 'scratch'))).toEqual([]);
  });

  test('[M6] a torn file listens and never serves: its open port proves nothing', async () => {
    const file = await dataFile({ state: 'torn' });
    const limits = { inspectMs: 60_000, integrityMs: 60_000, startMs: 3000, signal: cancel.signal };
    const checks = await checkTigerBeetle(binaryRunner(binary, file, cancel.signal), file, limits);
    expect(checks.at(-1)).toMatchObject({ name: 'starts', ok: false });
    expect(checks.at(-1)?.detail).toContain('never serves');
    const calls = (await readFile(`${file}.calls`, 'utf8')).trim().split('\n');
    expect(calls.slice(0, 2)).toEqual(['inspect superblock', 'inspect integrity --skip-wal --skip-grid']);
    expect(calls).not.toContain('inspect integrity --skip-grid');
  });

  test('an integrity check that hangs is bad, and ended', async () => {
    const file = await dataFile({ state: 'hangs' });
    const limits = { inspectMs: 60_000, integrityMs: 2000, startMs: 2000, signal: cancel.signal };
    const checks = await checkTigerBeetle(binaryRunner(binary, file, cancel.signal), file, limits);
    expect(checks.at(-1)).toMatchObject({ ok: false, detail: expect.stringContaining('not finished') as string });
  });

  test('damage, a cut file, a replica of a cluster: each is bad before any server starts', async () => {
    for (const facts of [{ state: 'broken' }, { storageSize: 1_000_000 }, { replicaCount: 3 }]) {
      await dataFile(facts);
      const report = await checkData(check(), data, context);
      expect(report.ok).toBe(false);
      expect(names(report)).not.toContain('starts: ok');
    }
  });

  test('without binary or image nothing is known, and that is no success', async () => {
    await dataFile({});
    expect((await checkData({ kind: 'tigerbeetle', file: '0_0.tigerbeetle' }, data, context)).ok).toBe(false);
  });

  test('a value counts when two valid copies of the superblock agree on it', () => {
    expect(parseSuperblock('|||| cluster=0x01')).toEqual({ missing: expect.arrayContaining(['sequence']) as string[] });
    expect(parseSuperblock('XXX| vsr_state.replica_count=1')).toMatchObject({
      missing: expect.arrayContaining(['replica_count']) as string[],
    });
  });
});

describe('the ledger of the samples', () => {
  test('[M6] whole: its records are told; with one bit flipped: bad, and it says which record', async () => {
    const file = join(data, 'ledger');
    await createLedger(file, { fileBytes: 1024 * 1024, accounts: 252 });
    const ledger = await Ledger.open(file);
    await ledger.apply(600, (number) => loadTransfer(7, number, 252));
    await ledger.close();
    const check = { kind: 'ledger', file: 'ledger' } as const;
    const good = await checkData(check, data, context);
    expect(good.checks[0]?.detail).toContain('600 records');
    expect(good.ok).toBe(true);
    const bytes = await readFile(file);
    const at = RING_OFFSET + 300 * RECORD_BYTES + 9;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(file, bytes);
    const torn = await checkData(check, data, context);
    expect(torn.checks[0]?.detail).toContain('record 301');
    expect(torn.ok).toBe(false);
  });
});

describe('a command of the operator', () => {
  const command = (script: string, timeoutSeconds = 60) =>
    ({ kind: 'command', command: ['sh', '-c', script, 'check', '{}'], timeoutSeconds }) as const;

  test('judges a scratch copy by its exit code; what it changes there is lost', async () => {
    await writeFile(join(data, 'file'), 'content');
    const good = await checkData(command('grep -q content "$1/file" && rm "$1/file"'), data, context);
    expect(good).toMatchObject({ ok: true });
    const bad = await checkData(command('echo wrong sum >&2; exit 4'), data, context);
    expect(bad.checks[0]).toMatchObject({ ok: false, detail: 'exit 4: wrong sum' });
    expect(await readdir(data)).toEqual(['file']);
  });

  test('one that does not end is ended, with everything it started', async () => {
    const pidFile = join(root, 'pid');
    const slow = await checkData(command(`sleep 1000 & echo $! > ${pidFile}; wait`, 4), data, context);
    expect(slow.checks[0]).toMatchObject({ ok: false, detail: expect.stringContaining('not finished') as string });
    await vi.waitFor(async () => expect(await runs(Number(await readFile(pidFile, 'utf8')))).toBe(false), 20_000);
  });

  test('cancelled: the reason is passed on, and no scratch copy is left', async () => {
    const running = checkData(command('sleep 1000'), data, context);
    const scratch = join(context.stateDirectory, 'scratch');
    await vi.waitFor(async () => expect(await readdir(scratch)).not.toEqual([]), 20_000);
    cancel.abort(new Error('cancelled'));
    await expect(running).rejects.toThrow('cancelled');
    expect(await readdir(join(context.stateDirectory, 'scratch'))).toEqual([]);
    await expect(
      runProgram(['/no/such/program'], { timeoutMs: 1000, signal: new AbortController().signal }),
    ).rejects.toMatchObject({
      code: 'SourceMissing',
    });
  });

  test('a file that leads out of the volume is not followed', async () => {
    await symlink('/etc/hostname', join(data, 'ledger'));
    const linked = checkData({ kind: 'ledger', file: 'ledger' }, data, context);
    await expect(linked).rejects.toMatchObject({ code: 'UnsafePath' });
    const above = checkData({ kind: 'ledger', file: '../x' }, data, context);
    await expect(above).rejects.toMatchObject({ code: 'UnsafePath' });
    const absent = checkData({ kind: 'ledger', file: 'none' }, data, context);
    await expect(absent).rejects.toMatchObject({ code: 'CheckFailed' });
  });
});

async function runs(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !/\) [ZX] /.test(stat);
}
