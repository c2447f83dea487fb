import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkLedger } from '../../sample/ledger/check.ts';
import { BATCH_MAX, CHECKPOINT_EVERY, RECORD_BYTES, RING_OFFSET } from '../../sample/ledger/layout.ts';
import { Ledger, createLedger } from '../../sample/ledger/ledger.ts';
import { expectedHead, loadTransfer } from '../../sample/ledger/load.ts';
import { startLedgerServer } from '../../sample/ledger/server.ts';

const MIB = 1024 * 1024;
const ACCOUNTS = 252;
const SEED = 7;
const make = (number: number) => loadTransfer(SEED, number, ACCOUNTS);

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-ledger-'));
  path = join(directory, 'ledger');
  await createLedger(path, { fileBytes: MIB, accounts: ACCOUNTS });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function flipByte(offset: number): Promise<void> {
  const file = await open(path, 'r+');
  const bytes = Buffer.alloc(1);
  await file.read(bytes, 0, 1, offset);
  bytes[0] = (bytes[0] ?? 0) ^ 0x40;
  await file.write(bytes, 0, 1, offset);
  await file.close();
}

async function fill(records: number): Promise<void> {
  const ledger = await Ledger.open(path);
  await ledger.apply(records, make);
  await ledger.close();
}

test('transfers over several checkpoints and laps of the ring: the file is good and its head is what the seed says', async () => {
  await fill(9_000);
  expect(await checkLedger(path)).toMatchObject({
    ok: true,
    records: 9_000,
    head: expectedHead(SEED, 9_000, ACCOUNTS),
    problems: [],
  });
  const { debits, credits } = await checkLedger(path);
  expect(debits).toBe(credits);
  expect((await stat(path)).size).toBe(MIB);
});

test('a file copied between any two batches, then opened: nothing acknowledged is lost and the load goes on', async () => {
  const ledger = await Ledger.open(path);
  const copy = join(directory, 'copy');
  for (let step = 0; step < 25; step += 1) {
    const { records, head } = await ledger.apply(37 + ((step * 29) % 150), make);
    await copyFile(path, copy);
    expect(await checkLedger(copy)).toMatchObject({ ok: true, records, head });
  }
  await ledger.close();
  const restored = await Ledger.open(copy);
  const after = await restored.apply(700, make);
  await restored.close();
  expect(await checkLedger(copy)).toMatchObject({ ok: true, head: expectedHead(SEED, after.records, ACCOUNTS) });
});

test('a copy whose second half was read after a checkpoint that its first half does not know: torn', async () => {
  await fill(100);
  const early = await readFile(path);
  await fill(CHECKPOINT_EVERY + BATCH_MAX);
  const late = await readFile(path);
  const half = MIB / 2;
  await writeFile(path, Buffer.concat([early.subarray(0, half), late.subarray(half)]));
  const check = await checkLedger(path);
  expect(check.ok).toBe(false);
  expect(check.problems.join()).toMatch(/chain ends at 100/);
});

test('a live file copied piece by piece under load, without a freeze: torn; its owner never noticed', async () => {
  const server = await startLedgerServer({
    path,
    fileBytes: MIB,
    accounts: ACCOUNTS,
    host: '127.0.0.1',
    port: 0,
    seed: SEED,
    loadPerSecond: 4_000,
  });
  try {
    const state = () => server.ledger?.state ?? expect.fail('the ledger does not serve');
    const source = await open(path, 'r');
    const copy = await open(join(directory, 'copy'), 'w');
    for (const [offset, length] of [
      [0, MIB / 2],
      [MIB / 2, MIB / 2],
    ] as const) {
      const bytes = Buffer.alloc(length);
      await source.read(bytes, 0, length, offset);
      await copy.write(bytes, 0, length, offset);
      const { records } = state();
      await expect.poll(() => state().checkpoint, { timeout: 60_000 }).toBeGreaterThan(records);
    }
    await source.close();
    await copy.close();
    expect(await checkLedger(join(directory, 'copy'))).toMatchObject({ ok: false });
  } finally {
    await server.close();
  }
  expect(await checkLedger(path)).toMatchObject({ ok: true });
});

test('a flipped byte in a record, in an account block, or a file cut short: each is torn', async () => {
  await fill(2_000);
  const good = await readFile(path);
  for (const offset of [RING_OFFSET + 1_000 * RECORD_BYTES + 90, RING_OFFSET + 3_000 * RECORD_BYTES]) {
    await flipByte(offset);
    expect(await checkLedger(path), `byte ${offset}`).toMatchObject({ ok: false });
    await writeFile(path, good);
  }
  for (const offset of [MIB - 4096 + 100, MIB - 8192 + 100]) await flipByte(offset);
  expect(await checkLedger(path)).toMatchObject({ ok: false });
  await writeFile(path, good);
  await truncate(path, MIB - 4096);
  expect(await checkLedger(path)).toMatchObject({ ok: false });
  await writeFile(path, good);
  expect(await checkLedger(path)).toMatchObject({ ok: true });
});

test('a server on a torn file: the port is open, health says 503 and why', async () => {
  await fill(600);
  await truncate(path, MIB / 2);
  const server = await startLedgerServer({
    path,
    fileBytes: MIB,
    accounts: ACCOUNTS,
    host: '127.0.0.1',
    port: 0,
    seed: SEED,
    loadPerSecond: 100,
  });
  try {
    const response = await fetch(`http://127.0.0.1:${server.port}/health`);
    expect(response.status).toBe(503);
    expect(JSON.stringify(await response.json())).toContain('bytes');
    expect((await fetch(`http://127.0.0.1:${server.port}/balance?account=1`)).status).toBe(503);
  } finally {
    await server.close();
  }
});

function startProcess() {
  return spawn(process.execPath, ['sample/ledger/server.ts'], {
    env: {
      ...process.env,
      LEDGER_FILE: path,
      LEDGER_ACCOUNTS: String(ACCOUNTS),
      LEDGER_HOST: '127.0.0.1',
      LEDGER_PORT: '0',
      LEDGER_SEED: String(SEED),
      LEDGER_LOAD: '3000',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

test('a server killed five times under load: each time a good file whose head is what the seed says', async () => {
  let records = 0;
  for (let round = 0; round < 5; round += 1) {
    const child = startProcess();
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const { listening } = JSON.parse(line.toString()) as { listening: number };
      const seen = records + 300 + round * 111;
      await expect
        .poll(
          async () => {
            const answer = await fetch(`http://127.0.0.1:${listening}/health`);
            return ((await answer.json()) as { records: number }).records;
          },
          { timeout: 60_000, interval: 5 },
        )
        .toBeGreaterThan(seen);
      records = seen;
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const check = await checkLedger(path);
    expect(check).toMatchObject({ ok: true, head: expectedHead(SEED, check.records, ACCOUNTS) });
    expect(check.records).toBeGreaterThan(records);
    records = check.records;
  }
});

test('the check as a command: one line of JSON and exit 0 good, 1 torn, 2 could not tell', async () => {
  const run = async (file: string) => {
    const child = spawn(process.execPath, ['sample/ledger/check.ts', file], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
    const [code] = (await once(child, 'close')) as [number];
    return { code, result: JSON.parse(output) as { ok: boolean; problems: string[] } };
  };
  await fill(10);
  expect(await run(path)).toMatchObject({ code: 0, result: { ok: true, records: 10, problems: [] } });
  await truncate(path, 8192);
  expect(await run(path)).toMatchObject({ code: 1, result: { ok: false } });
  expect(await run(join(directory, 'missing'))).toMatchObject({ code: 2, result: { ok: false } });
});
