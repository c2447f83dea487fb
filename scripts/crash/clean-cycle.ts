/** One cycle of the search for a clean backup: what was found in each has to be true, whatever was struck. */
import type { CleanPointResult } from '../../src/workflows/contract.ts';
import { endure } from './endure.ts';
import type { Stage } from './endure.ts';
import type { Played, RoundTools } from './round.ts';

export async function playClean(stage: Stage, { backUp, untroubled, pointFor, part }: RoundTools): Promise<Played> {
  const { lane } = stage;
  const { clean } = lane;
  if (clean === undefined) throw new Error(`nothing tells which backups of ${lane.name} are clean`);
  const wanted = await lane.change(part);
  const backedUp = await backUp(stage, pointFor('backup'));
  const { struck } = await endure<CleanPointResult>(
    stage,
    'clean',
    () => Promise.resolve({ system: lane.name }),
    (found) => clean.accept(found),
    pointFor('clean'),
  );
  await untroubled(lane);
  return [[backedUp, struck], wanted];
}
