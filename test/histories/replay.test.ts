/** Runs that were begun by an earlier version must go on under this one: every stored history is replayed. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { Worker } from '@temporalio/worker';
import { workflowBundle } from '../../src/engine/bundle.ts';
import { WORKFLOWS } from '../../src/workflows/contract.ts';
import { historyFromPlain, type History } from './history-json.ts';
import { quietRuntime } from '../workflows/stage.ts';

const DIRECTORY = import.meta.dirname;
const NAMES = (await readdir(DIRECTORY)).filter((name) => name.endsWith('.json')).map((name) => path.parse(name).name);

/** What must be refused: the replay would be worthless if it let everything pass. */
const ALTERED = [
  ['backup-done', '"hotPass"', '"coldPass"'],
  ['backup-open', '"beginCapture"', '"captureGroup"'],
  ['verify-done', '"findBackup"', '"verifyBackup"'],
  ['restore-done', '"stopForRestore"', '"startAfterRestore"'],
  ['restore-open-approval', '"planRestore"', '"findBackup"'],
  ['systemLock-done', '"release"', '"hold"'],
  ['releaseFreeze-open', '"releaseFreeze"', '"ping"'],
] as const;

const nameOfAltered = (name: string, from: string): string => `${name} without ${from}`;

/** By name: why it was refused, or undefined. One worker replays them all: starting one takes longer than a replay. */
const outcomes = new Map<string, Error | undefined>();

beforeAll(async () => {
  quietRuntime();
  const histories: { workflowId: string; history: History }[] = [];
  const add = (workflowId: string, text: string): unknown =>
    histories.push({ workflowId, history: historyFromPlain(JSON.parse(text)) });
  for (const name of NAMES) add(name, await read(name));
  for (const [name, from, to] of ALTERED) add(nameOfAltered(name, from), alter(await read(name), from, to));
  const options = { workflowBundle: await workflowBundle() };
  for await (const { workflowId, error } of Worker.runReplayHistories(options, histories)) {
    outcomes.set(workflowId, error);
  }
});

function read(name: string): Promise<string> {
  return readFile(path.join(DIRECTORY, `${name}.json`), 'utf8');
}

describe('stored histories', () => {
  test('every workflow has a finished and an open one', () => {
    for (const type of Object.values(WORKFLOWS)) {
      const own = NAMES.filter((name) => name.startsWith(`${type}-`));
      expect(
        own.filter((name) => name.includes('open')),
        type,
      ).not.toHaveLength(0);
      expect(
        own.filter((name) => !name.includes('open')),
        type,
      ).not.toHaveLength(0);
    }
  });

  test.each(NAMES)('%s: the code still does what was recorded', (name) => {
    expect(outcomes.has(name)).toBe(true);
    expect(outcomes.get(name)).toBeUndefined();
  });

  test('none of them names the machine that recorded it', async () => {
    // Ids of locks have the site `home` in them.
    const telling = /\/(work|root|tmp|Users)\/|\/home\/(?!lock)|\d+@[a-z]/;
    for (const name of NAMES) expect(telling.exec(await read(name))?.[0], name).toBeUndefined();
  });
});

describe('altered histories', () => {
  test.each(ALTERED)('%s with %s changed to %s: refused', (name, from) => {
    expect(outcomes.get(nameOfAltered(name, from))).toBeInstanceOf(Error);
  });
});

/** Only where an activity is scheduled or a signal arrives, never in the name of the workflow's own type. */
function alter(text: string, from: string, to: string): string {
  const history = JSON.parse(text) as { events: Record<string, unknown>[] };
  const events = history.events.map((event) => {
    const changed = JSON.stringify(event);
    const relevant =
      'activityTaskScheduledEventAttributes' in event || 'workflowExecutionSignaledEventAttributes' in event;
    return relevant ? (JSON.parse(changed.replaceAll(from, to)) as Record<string, unknown>) : event;
  });
  const result = JSON.stringify({ ...history, events });
  if (result === JSON.stringify(history)) throw new Error(`${from} does not occur`);
  return result;
}
