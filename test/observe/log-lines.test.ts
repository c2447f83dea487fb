import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lineJson, lineText } from '../../src/cli/log-texts.ts';
import { keepShort } from '../../src/engine/log-files.ts';
import { LogReader } from '../../src/engine/log-reader.ts';
import { fieldsOf } from '../../src/engine/sdk-runtime.ts';
import { coloursFor } from '../../src/observe/colours.ts';
import { createLogger, log, logWith, withLogFields, bindLog } from '../../src/observe/log.ts';
import { isChosen, parseLogLine } from '../../src/observe/log-lines.ts';
import { temporaryHome } from '../engine/home.ts';

let home: ReturnType<typeof temporaryHome>;
let engine: string;
beforeAll(() => {
  home = temporaryHome();
  engine = path.join(home.path, 'engine');
  mkdirSync(engine, { recursive: true });
});
afterAll(() => {
  home[Symbol.dispose]();
});

const plain = coloursFor({ isTTY: false });
const line = (time: string, more: object): string => `${JSON.stringify({ level: 'info', time, ...more })}\n`;

describe('lines of logs', () => {
  it('two processes: merged by time; by system and level; a stack stays with what came before it', async () => {
    writeFileSync(
      path.join(engine, 'worker.log'),
      line('2026-11-21T10:00:01.000Z', { msg: 'second', workflowId: 'shop/backup/daily' }) +
        line('2026-11-21T10:00:03.000Z', { msg: 'fourth', system: 'other' }),
    );
    writeFileSync(path.join(engine, 'worker-a.log.1'), line('2026-11-21T10:00:00.000Z', { msg: 'first' }));
    writeFileSync(
      path.join(engine, 'worker-a.log'),
      `${line('2026-11-21T10:00:02.000Z', { msg: 'third', system: 'shop', level: 'warn' })}Error: it died\n    at it.ts:1\n`,
    );
    const all = await new LogReader().last(() => true, 100);
    expect(all.map(({ message }) => message)).toEqual([
      'first',
      'second',
      'third',
      'Error: it died',
      '    at it.ts:1',
      'fourth',
    ]);
    expect(all.map(({ from }) => from)).toEqual(['worker-a', 'worker', 'worker-a', 'worker-a', 'worker-a', 'worker']);
    const shop = await new LogReader().last((one) => isChosen(one, { system: 'shop' }), 100);
    expect(shop.map(({ message }) => message)).toEqual(['second', 'third']);
    const grave = await new LogReader().last((one) => isChosen(one, { level: 'warn' }), 100);
    expect(grave.map(({ message }) => message)).toEqual(['third', 'Error: it died', '    at it.ts:1']);
    expect((await new LogReader().last(() => true, 2)).map(({ message }) => message)).toEqual([
      '    at it.ts:1',
      'fourth',
    ]);
  });

  it('followed: lines that come, also after the file was put aside for its length', async () => {
    const file = path.join(engine, 'worker-b.log');
    writeFileSync(file, line('2026-11-21T10:00:00.000Z', { msg: 'before' }));
    const reader = new LogReader();
    await reader.last(() => true, 100);
    const over = new AbortController();
    const lines = reader.follow(over.signal);
    appendFileSync(file, line('2026-11-21T10:00:01.000Z', { msg: 'half' }).slice(0, 20));
    appendFileSync(file, line('2026-11-21T10:00:01.000Z', { msg: 'half' }).slice(20));
    expect((await lines.next()).value).toMatchObject([{ message: 'half', from: 'worker-b' }]);
    keepShort(file, 10);
    expect(readFileSync(`${file}.1`, 'utf8')).toContain('before');
    appendFileSync(file, line('2026-11-21T10:00:02.000Z', { msg: 'after' }));
    expect((await lines.next()).value).toMatchObject([{ message: 'after' }]);
    over.abort();
    expect((await lines.next()).done).toBe(true);
  });

  it('a log that is short enough, or not there: left alone', () => {
    const file = path.join(engine, 'short.log');
    keepShort(file);
    writeFileSync(file, 'x');
    keepShort(file, 1);
    expect([readFileSync(file, 'utf8'), existsSync(`${file}.1`)]).toEqual(['x', false]);
  });

  it('for people: who, what, why; for programs: everything', () => {
    const text = line('2026-11-21T10:00:00.000Z', {
      level: 'error',
      room: 'activities',
      system: 'shop',
      activity: 'capture',
      msg: 'failed',
      err: { type: 'HoldfastError', code: 'DiskFull', message: 'no room', cause: { type: 'Error', message: 'ENOSPC' } },
    });
    const parsed = parseLogLine(text, 'worker-a', { atMs: 0 });
    expect(lineText(parsed, plain)).toMatch(
      /error worker-a activities: failed system=shop activity=capture\n {2}DiskFull: no room, because Error: ENOSPC$/,
    );
    expect(JSON.parse(lineJson(parsed))).toMatchObject({
      from: 'worker-a',
      system: 'shop',
      msg: 'failed',
      level: 'error',
      err: { code: 'DiskFull' },
    });
  });
});

describe('fields of lines', () => {
  it("in an activity: every room's lines say for whom; a logger that says it itself says it once", async () => {
    const lines: string[] = [];
    const logger = createLogger({ level: 'info', destination: { write: (text: string) => void lines.push(text) } });
    bindLog({ role: 'host', host: 'a' });
    await withLogFields({ system: 'shop', activity: 'capture' }, async () => {
      await Promise.resolve();
      logger.info('within');
    });
    logger.info('without');
    bindLog({});
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ role: 'host', host: 'a', system: 'shop', activity: 'capture' });
    expect(JSON.parse(lines[1] ?? '')).not.toHaveProperty('system');
    expect(logWith('activities', { system: 'shop' }).bindings()).toMatchObject({ room: 'activities', system: 'shop' });
    expect(log('activities').bindings()).not.toHaveProperty('system');
  });

  it("the SDK's attributes: under the same names, without its tokens", () => {
    expect(
      fieldsOf({
        workflowId: 'shop/backup/daily',
        workflowRunId: 'r',
        workflowType: 'backup',
        activityType: 'ping',
        taskToken: 'abc',
        attempt: 2,
      }),
    ).toEqual({
      system: 'shop',
      workflowId: 'shop/backup/daily',
      runId: 'r',
      operation: 'backup',
      activity: 'ping',
      attempt: 2,
    });
  });
});
