import { execFile } from 'node:child_process';
import { appendFile, mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alarmLogFile, alarmLogFiles, appendAlarms, readAlarms, type AlarmEntry } from '../../src/notify/alarm-log.ts';
import { temporaryHome } from '../engine/home.ts';

const run = promisify(execFile);
let home: ReturnType<typeof temporaryHome>;

beforeAll(() => {
  home = temporaryHome();
});

afterAll(() => {
  home[Symbol.dispose]();
});

const alarm = (id: string, what = 'opened'): AlarmEntry => ({
  id,
  at: '2026-11-21T02:00:00.000Z',
  system: 'shop',
  incident: 'disk/nas',
  severity: 'critical',
  what,
});

async function idsIn(system: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of readAlarms(system)) ids.push(id);
  return ids;
}

async function idsOf(file: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  return lines.map((line) => (JSON.parse(line) as AlarmEntry).id);
}

async function linesOf(system: string): Promise<unknown[]> {
  const text = await readFile(alarmLogFile(system), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

describe('the alarm log', () => {
  test('each alarm is a line; one that is written again is there once [B5]', async () => {
    await appendAlarms('shop', [alarm('a-1'), alarm('a-2', 'L1 told')]);
    await appendAlarms('shop', [alarm('a-2', 'L1 told'), alarm('a-3', 'healed')]);
    await appendAlarms('shop', [alarm('a-1')]);
    expect(await linesOf('shop')).toMatchObject([{ id: 'a-1' }, { id: 'a-2' }, { id: 'a-3', incident: 'disk/nas' }]);
  });

  test('a line that a crash cut off: the next alarm has a line of its own [B5]', async () => {
    await appendAlarms('torn', [alarm('a-1')]);
    await appendFile(alarmLogFile('torn'), '{"id":"a-2","at":"2026');
    await appendAlarms('torn', [alarm('a-2'), alarm('a-3')]);
    const lines = (await readFile(alarmLogFile('torn'), 'utf8')).trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines.slice(2).map((line) => (JSON.parse(line) as AlarmEntry).id)).toEqual(['a-2', 'a-3']);
    expect(await idsIn('torn')).toEqual(['a-1', 'a-2', 'a-3']);
  });

  test('it has grown: put aside, with a bounded number of files; a repeat is known there, too [B5]', async () => {
    const limits = { fileBytes: 1000, files: 3 };
    for (let n = 0; n < 60; n += 1) await appendAlarms('grown', [alarm(`a-${n}`)], limits);
    const files = await alarmLogFiles('grown');
    expect(files.length).toBeLessThanOrEqual(4);
    for (const file of files) expect((await stat(file)).size).toBeLessThan(1400);
    const before = await idsIn('grown');
    // What is left is the newest, in order and without a gap.
    expect(before).toEqual(Array.from({ length: before.length }, (_, n) => `a-${60 - before.length + n}`));
    expect(before.length).toBeGreaterThan(20);
    const last = await idsOf(files.at(-2) ?? '');
    await appendAlarms('grown', [alarm(last.at(-1) ?? '')], limits);
    expect(await idsIn('grown')).toEqual(before);
  });

  test('two processes write while it is put aside again and again: no line is lost, and none is there twice [B5]', async () => {
    await mkdir(path.dirname(alarmLogFile('two')), { recursive: true });
    const writer = fileURLToPath(new URL('alarm-writer.ts', import.meta.url));
    await Promise.all(['x', 'y'].map((name) => run(process.execPath, [writer, 'two', name, '200'])));
    const ids = await idsIn('two');
    expect(ids).toHaveLength(400);
    expect(new Set(ids).size).toBe(400);
    expect((await alarmLogFiles('two')).length).toBeGreaterThan(10);
  });
});
