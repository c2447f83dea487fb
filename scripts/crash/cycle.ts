/** One cycle: change, back up, lose, restore, compare; struck at the points whose seeds are given. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BackupResult, RestoreResult, RowsResult } from '../../src/workflows/contract.ts';
import { bytesBelow } from './content.ts';
import { endure, errandOf, previewed, untroubled } from './endure.ts';
import type { Stage, StruckPoint } from './endure.ts';
import type { ClusterLane, Lane, Round } from './lane.ts';
import { playMissing } from './missing-cycle.ts';
import { describePoint } from './points.ts';
import type { Operation, Point } from './points.ts';
import type { Played } from './round.ts';
import { playStores } from './stores-cycle.ts';
import { stepIndex, strikeNow } from './strike.ts';

export type { Stage, StruckPoint } from './endure.ts';

/** Framing of chunks, and the small files that are stored with each new group. */
const SLACK_PER_BACKUP_BYTES = 512 * 1024;
/** For how long a blow may come while a log is received. */
const RECEIVE_MS = 1_200;

function approved(stage: Stage, operation: 'restore' | 'rows'): Promise<object> {
  const { name, cluster } = stage.lane;
  return previewed(stage, operation, {
    system: name,
    ...(operation === 'rows' ? cluster?.rows : stage.lane.restoring),
    ...(cluster === undefined ? {} : { recoverTo: cluster.recoverTo() }),
  });
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
    ({ outcome, why, whole }) => {
      if (outcome !== 'restored') return `${outcome}: ${why ?? ''}`;
      const left = whole?.left.map((one) => `${one.name} was left as it was: ${one.why}`) ?? [];
      return left.length === 0 ? undefined : left.join('; ');
    },
    point,
  );
  stage.count.backups += value.safetyBackup === undefined ? 0 : 1;
  await untroubled(stage.lane);
  await stage.lane.forget(value.aside);
  return struck;
}

type ErrandTime = Extract<Operation, 'errand' | 'second errand'>;

/** What was struck may say that it could not be finished; asked for again it can, and it never leaves anything. */
async function doErrand(stage: Stage, when: ErrandTime, point: Point | undefined): Promise<StruckPoint | undefined> {
  const errand = errandOf(stage.lane);
  const { struck } = await endure<unknown>(
    stage,
    when,
    () => Promise.resolve({ system: stage.lane.name }),
    (result) => errand.wrong(result),
    point,
  );
  await untroubled(stage.lane);
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

async function play(
  stage: Stage,
  round: Round,
  pointFor: (operation: Operation) => Point | undefined,
  part: number,
): Promise<Played> {
  const { lane } = stage;
  if (round[0] === 'copy' || round[0] === 'heal') {
    return [await playStores(stage, round, pointFor, part), await lane.digest()];
  }
  if (round[0] === 'receive') {
    const received = await receive(stage, pointFor('receive'));
    const wanted = await clusterOf(stage).accident();
    return [[received, await putRowsBack(stage, pointFor('rows'))], wanted];
  }
  if (round[0] === 'missing') return playMissing(stage, round, { backUp, pointFor, part });
  const changed = await lane.change(part);
  const backedUp = await backUp(stage, pointFor('backup'));
  let wanted = (await lane.lose()) ?? changed;
  if (round[1] === 'restore') return [[backedUp, await restore(stage, pointFor('restore'))], wanted];
  const first = await doErrand(stage, 'errand', pointFor('errand'));
  if (round[1] === 'errand') return [[backedUp, first], wanted];
  await mustBe(lane, wanted);
  wanted = (await lane.lose()) ?? changed;
  return [[first, await doErrand(stage, 'second errand', pointFor('second errand'))], wanted];
}

async function mustBe(lane: Lane, wanted: string): Promise<void> {
  if ((await lane.digest()) !== wanted) throw new Error('other data came back than was captured');
}

/**
 * Runs one cycle. Throws, naming the seeds, when an operation ends in another way than completed or failed cleanly, when
 * other bytes come back, when something stays paused or stopped, when a chunk is stored twice, or when a store lacks or
 * keeps what it should not.
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
    const { name: lane, errand } = stage.lane;
    const operation = point.operation.endsWith('errand') ? (errand?.workflow ?? '') : point.operation;
    stage.say(describePoint(point, { lane, operation }, where));
  }
  try {
    const [struck, wanted] = await play(stage, round, pointFor, part);
    await mustBe(stage.lane, wanted);
    return struck.filter((one) => one !== undefined);
  } catch (error) {
    const seeds = points.map(({ seed }) => seed).join(', ');
    const what = error instanceof Error ? error.message : String(error);
    throw new Error(`${stage.lane.name}, seed ${seeds === '' ? 'of no point' : seeds}: ${what}`, { cause: error });
  }
}
