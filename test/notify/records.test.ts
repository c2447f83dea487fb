import { appendFile, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alarmLogFile, appendAlarms, type AlarmEntry } from '../../src/notify/alarm-log.ts';
import { channelFindings, deliveryRecords, recordDelivery } from '../../src/notify/delivery-record.ts';
import { temporaryHome } from '../engine/home.ts';

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
  });
});

describe('a channel that is broken', () => {
  const system = { name: 'shop', notify: [{ name: 'chat' }, { name: 'mail' }] };

  test('is a finding with its time, attempts and reason until a message gets through', async () => {
    expect(await channelFindings(system)).toEqual([]);
    await recordDelivery('shop', 'mail', undefined);
    await recordDelivery('shop', 'chat', 'chat answered 503');
    await recordDelivery('shop', 'chat', 'chat gave no answer in 20 s');
    await recordDelivery('shop', 'left-the-file', 'gone');
    const [found, ...others] = await channelFindings(system);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: 'notify', subject: 'chat', severity: 'warning', system: 'shop' });
    expect(found?.what).toContain('2 attempts have failed since');
    expect(found?.what).toContain('chat gave no answer in 20 s');
    expect(found?.hint).toContain('holdfast notify test shop chat');
    const [record] = await deliveryRecords('shop');
    expect(found?.since).toBe(record?.failingSince);
    await recordDelivery('shop', 'chat', undefined);
    expect(await channelFindings(system)).toEqual([]);
  });
});
