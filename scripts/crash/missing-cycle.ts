/** One cycle of putting back what is missing: files, taken back again, and rows. */
import type { MissingResult, RowsResult } from '../../src/workflows/contract.ts';
import { endure, previewed, untroubled } from './endure.ts';
import type { Stage, StruckPoint } from './endure.ts';
import type { Round } from './lane.ts';
import type { MissingLane } from './missing-lane.ts';
import type { Point } from './points.ts';
import type { Played, RoundTools } from './round.ts';

/** Throws when a file or the rows were ever half there, or when taking back leaves anything else than there was. */
export async function playMissing(
  stage: Stage,
  [, second]: Round,
  { backUp, pointFor, part }: RoundTools,
): Promise<Played> {
  const { lane } = stage;
  const { missing } = lane;
  if (missing === undefined) throw new Error(`nothing of ${lane.name} is put back by itself`);
  await lane.change(part);
  await backUp(stage, undefined);
  missing.lose();
  const lost = await lane.digest();
  const files = await missing.watched(() => putBack(stage, missing, pointFor('missing')));
  await untroubled(lane);
  if ((await lane.digest()) !== missing.wanted().files) throw new Error('other files came back than were missing');
  const other =
    second === 'rows'
      ? await missing.watched(() => putRowsBack(stage, missing, pointFor('rows')))
      : await missing.watched(() => takeBack(stage, missing, pointFor('undo')));
  await untroubled(lane);
  await lane.forget([]);
  return [[files, other], second === 'rows' ? missing.wanted().all : lost];
}

/** An attempt that failed at its very end may have done all of it, and leave nothing to do. */
function accept(done: 'restored' | 'undone'): (value: MissingResult | RowsResult) => string | undefined {
  return ({ outcome, why }) => (outcome === done || outcome === 'nothing' ? undefined : `${outcome}: ${why ?? ''}`);
}

async function putBack(
  stage: Stage,
  { files }: MissingLane,
  point: Point | undefined,
): Promise<StruckPoint | undefined> {
  const input = { system: stage.lane.name, ...files };
  const asked = (): Promise<object> => previewed(stage, 'missing', input);
  return (await endure<MissingResult>(stage, 'missing', asked, accept('restored'), point)).struck;
}

async function putRowsBack(
  stage: Stage,
  { rows }: MissingLane,
  point: Point | undefined,
): Promise<StruckPoint | undefined> {
  const input = { system: stage.lane.name, ...rows };
  const asked = (): Promise<object> => previewed(stage, 'rows', input);
  return (await endure<RowsResult>(stage, 'rows', asked, accept('restored'), point)).struck;
}

/** All that was put back, also by a run that was told as failed; only the last one is struck. */
async function takeBack(
  stage: Stage,
  missing: MissingLane,
  point: Point | undefined,
): Promise<StruckPoint | undefined> {
  const runs = missing.runs();
  let struck: StruckPoint | undefined;
  for (const [index, undo] of runs.entries()) {
    const input = { system: stage.lane.name, component: 'data', undo };
    const asked = (): Promise<object> => previewed(stage, 'undo', input);
    const own = index === runs.length - 1 ? point : undefined;
    struck = (await endure<MissingResult>(stage, 'undo', asked, accept('undone'), own, `/${index}`)).struck;
  }
  if (runs.length === 0) throw new Error('there is no run that could be taken back');
  return struck;
}
