/** Strikes a point's victim while a story is being told. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import type { RunningEngine } from '../../src/engine/index.ts';
import type { Fault, FaultProxy } from '../../test/support/fault-proxy.ts';
import type { Lane } from './lane.ts';
import type { Point } from './points.ts';
import { stepBegun } from './story.ts';
import type { Step } from './story.ts';

const FAULTS: Readonly<Record<Point['fault'], Fault>> = {
  unavailable: { kind: 'status', status: 503, code: 'SlowDown' },
  reset: { kind: 'reset' },
  'lose-answer': { kind: 'lose-answer' },
  cut: { kind: 'cut', part: 0.5 },
  hang: { kind: 'hang' },
};

export interface Arena {
  readonly engine: RunningEngine;
  readonly lane: string;
  readonly proxy: FaultProxy | undefined;
  readonly database?: Lane['database'];
  /** Restarts the Docker daemon; only where that was asked for. */
  readonly restartDocker?: () => Promise<void>;
}

function kill(arena: Arena, name: string): boolean {
  const pid = arena.engine.processes()[name];
  // Between a death and the next start there is nobody to kill: another point was quicker.
  if (pid === undefined) return false;
  process.kill(pid, 'SIGKILL');
  return true;
}

/** All at once, as at a power cut; what runs nobody is left to take care of. */
function killAll(arena: Arena): boolean {
  const names = ['server', 'worker', `worker ${arena.lane}`];
  return names.map((name) => kill(arena, name)).every((struck) => struck);
}

/** In which a worker that was started has registered itself and has taken up what was given back. */
const STARTING_MS = 4_000;
const STARTED_LIMIT_MS = 60_000;
const LOOK_MS = 20;

/** The second blow falls while it loads, clears up what it finds, or has just taken up its work again. */
async function killTwice(arena: Arena, name: string, againPart: number): Promise<boolean> {
  const first = arena.engine.processes()[name];
  if (!kill(arena, name)) return false;
  const end = Date.now() + STARTED_LIMIT_MS;
  for (;;) {
    const next = arena.engine.processes()[name];
    if (next !== undefined && next !== first) break;
    if (Date.now() > end) throw new Error(`the ${name} was not started again`);
    await sleep(LOOK_MS);
  }
  await sleep(againPart * STARTING_MS);
  return kill(arena, name);
}

function befall(proxy: FaultProxy, fault: Fault, requests: number): void {
  let left = requests;
  proxy.always(() => (left-- > 0 ? fault : undefined));
}

export async function strikeNow(point: Point, arena: Arena): Promise<boolean> {
  switch (point.victim) {
    case 'host worker':
      return kill(arena, `worker ${arena.lane}`);
    case 'worker':
      return kill(arena, 'worker');
    case 'server':
      return kill(arena, 'server');
    case 'machine':
      return killAll(arena);
    case 'host worker twice':
      return killTwice(arena, `worker ${arena.lane}`, point.againPart);
    case 'worker twice':
      return killTwice(arena, 'worker', point.againPart);
    case 'store':
      if (arena.proxy === undefined) throw new Error('this lane has no proxy in front of its store');
      befall(arena.proxy, FAULTS[point.fault], point.requests);
      return true;
    case 'docker':
      if (arena.restartDocker === undefined) throw new Error('the Docker daemon may not be restarted here');
      await arena.restartDocker();
      return true;
    case 'database':
    case 'connections':
      if (arena.database === undefined) throw new Error('there is no database server in this lane');
      return point.victim === 'database' ? arena.database.kill() : arena.database.cut();
  }
}

/** Which step of a story with these steps the point means. */
export function stepIndex(point: Point, steps: readonly Step[]): number {
  return Math.min(Math.floor(point.stepPart * steps.length), Math.max(0, steps.length - 1));
}

/**
 * Waits for the point's step and strikes. `steps` are those of a run without a crash. False when the story was over
 * first or nobody was there to be struck.
 */
export async function strike(
  point: Point,
  steps: readonly Step[],
  handle: WorkflowHandle,
  arena: Arena,
  ended: () => boolean,
): Promise<boolean> {
  const index = stepIndex(point, steps);
  const begun = await stepBegun(handle, index, ended);
  await sleep(point.delayPart * (steps[index]?.durationMs ?? 0));
  const running = begun && !ended();
  return (await strikeNow(point, arena)) && running;
}
