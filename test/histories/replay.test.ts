/** Runs that were begun by an earlier version must go on under this one: every stored history is replayed. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { Worker } from '@temporalio/worker';
import { workflowBundle } from '../../src/engine/bundle.ts';
import { WORKFLOWS } from '../../src/workflows/contract.ts';
import { historyFromPlain } from './history-json.ts';
import { quietRuntime } from '../workflows/stage.ts';

const DIRECTORY = import.meta.dirname;
const NAMES = (await readdir(DIRECTORY)).filter((name) => name.endsWith('.json')).map((name) => path.parse(name).name);

let bundle: Awaited<ReturnType<typeof workflowBundle>>;

beforeAll(async () => {
  quietRuntime();
  bundle = await workflowBundle();
});

async function replay(text: string): Promise<void> {
  await Worker.runReplayHistory({ workflowBundle: bundle }, historyFromPlain(JSON.parse(text)), 'replayed');
}

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

  test.each(NAMES)('%s: the code still does what was recorded', async (name) => {
    await replay(await read(name));
  });

  test('none of them names the machine that recorded it', async () => {
    // Ids of locks have the site `home` in them.
    const telling = /\/(work|root|tmp|Users)\/|\/home\/(?!lock)|\d+@[a-z]/;
    for (const name of NAMES) expect(telling.exec(await read(name))?.[0], name).toBeUndefined();
  });
});

describe('altered histories', () => {
  // The replay would be worthless if it let everything pass.
  test.each([
    ['backup-done', '"hotPass"', '"coldPass"'],
    ['backup-open', '"beginCapture"', '"captureGroup"'],
    ['verify-done', '"findBackup"', '"verifyBackup"'],
    ['restore-done', '"stopForRestore"', '"startAfterRestore"'],
    ['restore-open-approval', '"planRestore"', '"findBackup"'],
    ['systemLock-done', '"release"', '"hold"'],
    ['releaseFreeze-open', '"releaseFreeze"', '"ping"'],
  ])('%s with %s changed to %s: refused', async (name, from, to) => {
    const altered = alter(await read(name), from, to);
    await expect(replay(altered)).rejects.toThrow();
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
