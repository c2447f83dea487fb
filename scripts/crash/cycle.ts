/** One cycle: change, back up, lose, restore, compare; struck at the points whose seeds are given. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { isFailureCode } from '../../src/failures.ts';
import { WORKFLOWS } from '../../src/workflows/contract.ts';
import type { BackupResult, RestoreResult, RowsResult } from '../../src/workflows/contract.ts';
import { bytesBelow } from './content.ts';
import type { ClusterLane, Lane, Round } from './lane.ts';
import { describePoint } from './points.ts';
import type { Operation, Point } from './points.ts';
import { outcomeOf, startStory, stepsOf } from './story.ts';
import type { Outcome, Step } from './story.ts';
import { stepIndex, strike, strikeNow } from './strike.ts';
import type { Arena } from './strike.ts';

/** Framing of chunks, and the small files that are stored with each new group. */
const SLACK_PER_BACKUP_BYTES = 512 * 1024;
const TROUBLE_LIMIT_MS = 60_000;
/** For how long a blow may come while a log is received. */
const RECEIVE_MS = 1_200;

export interface Stage {
  readonly lane: Lane;
  readonly client: Client;
  readonly arena: Arena;
  readonly say: (line: string) => void;
  /** Steps of each operation without a crash, as measured in a first cycle. */
  readonly steps: Partial<Record<Operation, readonly Step[]>>;
  /** Counts the cycles, so that every workflow has an id of its own. */
  readonly count: { cycles: number; backups: number };
}

export interface StruckPoint {
  readonly seed: number;
  /** The victim was struck while the operation ran. */
  readonly hit: boolean;
  /** It completed at once, or failed cleanly and completed when it was asked for again. */
  readonly outcome: 'completed' | 'failed cleanly';
}

/** What runs for ever is not told as a story. */
type Told = Exclude<Operation, 'receive'>;

const TYPES: Readonly<Record<Told, string>> = {
  backup: WORKFLOWS.backup,
  restore: WORKFLOWS.restore,
  rows: WORKFLOWS.restoreRows,
};

async function tell<T>(
  stage: Stage,
  operation: Told,
  id: string,
  input: object,
  point: Point | undefined,
): Promise<{ outcome: Outcome<T>; struck: boolean }> {
  const handle = await startStory(stage.client, TYPES[operation], id, input);
  let ended = false;
  const result = outcomeOf<T>(handle).finally(() => (ended = true));
  const steps = stage.steps[operation];
  const [outcome, struck] = await Promise.all([
    result,
    point === undefined || steps === undefined ? false : strike(point, steps, handle, stage.arena, () => ended),
  ]);
  // Faults that were not needed must not befall the next operation.
  stage.lane.proxy?.always(undefined);
  if (point === undefined && outcome.ok) stage.steps[operation] ??= await stepsOf(handle);
  return { outcome, struck };
}

/** Runs the operation; when it failed cleanly it is asked for once more, without a crash, and has to complete. */
async function endure<T>(
  stage: Stage,
  operation: Told,
  input: () => Promise<object>,
  accept: (value: T) => string | undefined,
  point: Point | undefined,
): Promise<{ value: T; struck: StruckPoint | undefined }> {
  const id = `${stage.lane.name}/crash/${operation}/${stage.count.cycles}`;
  const first = await tell<T>(stage, operation, id, await input(), point);
  const failure = first.outcome.ok ? accept(first.outcome.value) : cleanFailure(first.outcome);
  const struck = (outcome: StruckPoint['outcome']): StruckPoint | undefined =>
    point === undefined ? undefined : { seed: point.seed, hit: first.struck, outcome };
  if (first.outcome.ok && failure === undefined) return { value: first.outcome.value, struck: struck('completed') };
  if (point === undefined) throw new Error(`${operation} failed without a crash: ${failure ?? ''}`);
  stage.say(`  seed ${point.seed}: ended with ${failure ?? ''}; asked for again`);
  const second = await tell<T>(stage, operation, `${id}/again`, await input(), undefined);
  if (!second.outcome.ok)
    throw new Error(`${operation} failed again: ${second.outcome.code} ${second.outcome.message}`);
  const still = accept(second.outcome.value);
  if (still !== undefined) throw new Error(`${operation} failed again: ${still}`);
  return { value: second.outcome.value, struck: struck('failed cleanly') };
}

function cleanFailure(outcome: Extract<Outcome<never>, { ok: false }>): string {
  if (!isFailureCode(outcome.code) || outcome.code === 'Internal') {
    throw new Error(`it ended with something nobody foresaw: ${outcome.code}: ${outcome.message}`);
  }
  return `${outcome.code}: ${outcome.message}`;
}

/** What is looked at first and approved then, as a person does. */
async function approved(stage: Stage, operation: 'restore' | 'rows'): Promise<object> {
  const { name, cluster } = stage.lane;
  const input = {
    system: name,
    ...(operation === 'rows' ? cluster?.rows : {}),
    ...(cluster === undefined ? {} : { recoverTo: cluster.recoverTo() }),
  };
  const id = `${name}/crash/plan/${stage.count.cycles}/${Date.now()}`;
  const handle = await startStory(stage.client, TYPES[operation], id, { ...input, mode: 'plan' });
  const outcome = await outcomeOf<RestoreResult | RowsResult>(handle);
  if (!outcome.ok) throw new Error(`no plan: ${outcome.code} ${outcome.message}`);
  return { ...input, approve: outcome.value.plan.digest, approvedBy: 'crash suite' };
}

/** What a crash may leave for a moment, because a release is still under way, must be gone soon. */
async function untroubled(lane: Lane): Promise<void> {
  const end = Date.now() + TROUBLE_LIMIT_MS;
  for (;;) {
    const troubles = await lane.troubles();
    if (troubles.length === 0) return;
    if (Date.now() > end) throw new Error(troubles.join('; '));
    await sleep(200);
  }
}

/** A large content that is stored twice shows in the bytes of the chunks: nothing can compress it. */
function checkAccounts(stage: Stage): void {
  const stored = bytesBelow(stage.lane.chunkDirectory);
  if (stage.lane.uniqueBytes === undefined) return;
  const allowed = stage.lane.uniqueBytes() + stage.count.backups * SLACK_PER_BACKUP_BYTES;
  if (stored > allowed)
    throw new Error(`stored ${stored} bytes of chunks where ${allowed} suffice: some are there twice`);
}

async function backUp(stage: Stage, point: Point | undefined): Promise<StruckPoint | undefined> {
  const { struck } = await endure<BackupResult>(
    stage,
    'backup',
    () => Promise.resolve({ system: stage.lane.name, plan: 'now' }),
    ({ outcome, why }) => (outcome === 'done' ? undefined : `skipped: ${why ?? ''}`),
    point,
  );
  stage.count.backups += 1;
  await untroubled(stage.lane);
  checkAccounts(stage);
  return struck;
}

async function restore(stage: Stage, point: Point | undefined): Promise<StruckPoint | undefined> {
  const { value, struck } = await endure<RestoreResult>(
    stage,
    'restore',
    () => approved(stage, 'restore'),
    ({ outcome, why }) => (outcome === 'restored' ? undefined : `${outcome}: ${why ?? ''}`),
    point,
  );
  stage.count.backups += value.safetyBackup === undefined ? 0 : 1;
  await untroubled(stage.lane);
  await stage.lane.forget(value.aside);
  return struck;
}

async function putRowsBack(stage: Stage, point: Point | undefined): Promise<StruckPoint | undefined> {
  const { struck } = await endure<RowsResult>(
    stage,
    'rows',
    () => approved(stage, 'rows'),
    // An attempt that failed at its very end may have done all of it.
    ({ outcome, why }) => (outcome === 'restored' || outcome === 'nothing' ? undefined : `${outcome}: ${why ?? ''}`),
    point,
  );
  await untroubled(stage.lane);
  return struck;
}

/** Transactions are committed and received all the while; what was acknowledged has to come into the store. */
async function receive(stage: Stage, point: Point | undefined): Promise<StruckPoint | undefined> {
  const cluster = clusterOf(stage);
  let writing = true;
  const written = cluster.write().finally(() => (writing = false));
  const blow = async (): Promise<boolean> => {
    if (point === undefined) return false;
    await sleep(point.stepPart * RECEIVE_MS);
    return writing && (await strikeNow(point, stage.arena));
  };
  const [hit] = await Promise.all([blow(), written]);
  await cluster.stored();
  await untroubled(stage.lane);
  return point === undefined ? undefined : { seed: point.seed, hit, outcome: 'completed' };
}

function clusterOf({ lane }: Stage): ClusterLane {
  if (lane.cluster === undefined) throw new Error(`no log of ${lane.name} is received`);
  return lane.cluster;
}

/** A round of one lane: what it did to the points, and the digests that were wanted and found. */
type Played = readonly [struck: (StruckPoint | undefined)[], wanted: string];

async function play(
  stage: Stage,
  round: Round,
  pointFor: (operation: Operation) => Point | undefined,
  part: number,
): Promise<Played> {
  const { lane } = stage;
  if (round[0] === 'receive') {
    const received = await receive(stage, pointFor('receive'));
    const wanted = await clusterOf(stage).accident();
    return [[received, await putRowsBack(stage, pointFor('rows'))], wanted];
  }
  const changed = await lane.change(part);
  const backedUp = await backUp(stage, pointFor('backup'));
  const wanted = (await lane.lose()) ?? changed;
  return [[backedUp, await restore(stage, pointFor('restore'))], wanted];
}

/**
 * Runs one cycle. Throws, naming the seeds, when an operation ends in another way than completed or failed cleanly, when
 * other bytes come back, when something stays paused or stopped, or when a chunk is stored twice.
 */
export async function runCycle(
  stage: Stage,
  round: Round,
  points: readonly Point[],
  part: number,
): Promise<StruckPoint[]> {
  stage.count.cycles += 1;
  const pointFor = (operation: Operation): Point | undefined => points.find((point) => point.operation === operation);
  for (const point of points) {
    const steps = stage.steps[point.operation] ?? [];
    const where = steps[stepIndex(point, steps)]?.name ?? 'its first step';
    stage.say(describePoint(point, stage.lane.name, where));
  }
  try {
    const [struck, wanted] = await play(stage, round, pointFor, part);
    const found = await stage.lane.digest();
    if (found !== wanted) throw new Error('other data came back than was captured');
    return struck.filter((one) => one !== undefined);
  } catch (error) {
    const seeds = points.map(({ seed }) => seed).join(', ');
    const what = error instanceof Error ? error.message : String(error);
    throw new Error(`${stage.lane.name}, seed ${seeds === '' ? 'of no point' : seeds}: ${what}`, { cause: error });
  }
}
