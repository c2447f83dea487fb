/** Rounds of a lane with two stores: copies, prunes and healing, struck beside captures, and checked when all is quiet. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BackupResult, CopyResult, PruneResult, VerifyStoreResult } from '../../src/workflows/contract.ts';
import { cleanFailure, endure, typeOf } from './endure.ts';
import type { Stage, StruckPoint, Told } from './endure.ts';
import type { Round, StoresLane } from './lane.ts';
import type { Operation, Point } from './points.ts';
import { outcomeOf, startStory } from './story.ts';
import { strikeNow } from './strike.ts';

/** No time is waited for: what is young goes as well. */
const AT_ONCE = { yes: true, minimumAgeSeconds: 0, graceSeconds: 0 } as const;

/** How long a storm takes without a crash. */
const stormMs = new WeakMap<Stage, number>();

/** Throws when the stores are not as they have to be afterwards. */
export async function playStores(
  stage: Stage,
  round: Round,
  pointFor: (operation: Operation) => Point | undefined,
  part: number,
): Promise<(StruckPoint | undefined)[]> {
  const struck =
    round[0] === 'copy'
      ? await copyAndPrune(stage, pointFor('copy'), pointFor('prune'), part)
      : await healAndStorm(stage, pointFor('heal'), pointFor('storm'), part);
  await settle(stage);
  const wrong = await storesOf(stage).check();
  if (wrong.length > 0) throw new Error(wrong.slice(0, 8).join('; '));
  return struck;
}

async function copyAndPrune(stage: Stage, onCopy: Point | undefined, onPrune: Point | undefined, part: number) {
  const { stores, plans } = storesOf(stage);
  const [here, away] = stores;
  // The first prune that is measured has to have something to remove.
  for (let more = onPrune === undefined ? 2 : 0; more > 0; more -= 1) {
    const earlier = await backUp(stage, plans[0], part);
    await run<CopyResult>(stage, 'copy', { target: away, backup: earlier }, refusedOf);
  }
  const backup = await backUp(stage, plans[0], part);
  const copied = await endure<CopyResult>(
    stage,
    'copy',
    () => Promise.resolve({ system: stage.lane.name, target: away, backup }),
    refusedOf,
    onCopy,
  );
  const store = onPrune === undefined || part < 0.5 ? here : away;
  const [pruned, beside] = await Promise.all([
    endure<PruneResult>(
      stage,
      'prune',
      () => Promise.resolve({ system: stage.lane.name, store, ...AT_ONCE }),
      prunedOf,
      onPrune,
    ),
    backUp(stage, plans[1], part),
  ]);
  await run<CopyResult>(stage, 'copy', { target: away, backup: beside }, refusedOf);
  return [copied.struck, pruned.struck];
}

async function healAndStorm(stage: Stage, onHeal: Point | undefined, onStorm: Point | undefined, part: number) {
  const lane = storesOf(stage);
  const { stores, plans } = lane;
  const [here, away] = stores;
  const backup = await backUp(stage, plans[0], part);
  await run<CopyResult>(stage, 'copy', { target: away, backup }, refusedOf);
  const store = part < 0.5 ? here : away;
  const isHealed = lane.damage(store, part, ['chunks', 'lists', 'sums', 'backups']);
  const healed = await endure<VerifyStoreResult>(
    stage,
    'heal',
    () => Promise.resolve({ system: stage.lane.name, store, all: true, heal: true }),
    badOf,
    onHeal,
  );
  if (!(await isHealed())) throw new Error(`${store}: what was damaged does not have its bytes again`);
  const struck = await storm(stage, onStorm, part);
  return [healed.struck, struck];
}

/** Everything at once; what fails cleanly is asked for again when the others are over. */
async function storm(stage: Stage, point: Point | undefined, part: number): Promise<StruckPoint | undefined> {
  const lane = storesOf(stage);
  const { stores, plans } = lane;
  const [here, away] = stores;
  const first = await backUp(stage, plans[0], part);
  // In the store of copies: a capture would find damaged objects in its own, and say so in its verdict.
  // What leads to the others stays whole: while it is damaged no prune deletes anything.
  const isHealed = lane.damage(away, part, ['chunks', 'lists']);
  const { name } = stage.lane;
  const digest = await stage.lane.change(part);
  const wanted: readonly (readonly [Told, object, (value: never) => string | undefined])[] = [
    ['backup', { plan: plans[1] }, (value: BackupResult) => madeOf(stage, plans[1], digest, value)],
    ['copy', { target: away, backup: first }, refusedOf],
    ['prune', { store: here, ...AT_ONCE }, prunedOf],
    ['prune', { store: away, ...AT_ONCE }, prunedOf],
    // What a prune beside it has just taken from the other store is healed from nowhere; what is kept is read back later.
    ['heal', { store: away, all: true, heal: true }, ({ failed }: VerifyStoreResult) => failed[0]?.message],
  ];
  const startedMs = performance.now();
  let over = false;
  const all = Promise.all(
    wanted.map(async ([operation, input, accept], index) => {
      const id = `${name}/crash/storm-${operation}-${index}/${stage.count.cycles}`;
      const handle = await startStory(stage.client, typeOf(stage, operation), id, { system: name, ...input });
      const outcome = await outcomeOf<never>(handle);
      return outcome.ok ? accept(outcome.value) : cleanFailure(outcome);
    }),
  ).finally(() => (over = true));
  const blow = async (): Promise<boolean> => {
    if (point === undefined) return false;
    await sleep(point.stepPart * (stormMs.get(stage) ?? 0));
    return (await strikeNow(point, stage.arena)) && !over;
  };
  const [failures, hit] = await Promise.all([all, blow()]);
  if (point === undefined) stormMs.set(stage, performance.now() - startedMs);
  let outcome: StruckPoint['outcome'] = 'completed';
  for (const [index, failure] of failures.entries()) {
    const [operation, input, accept] = wanted[index] ?? [];
    if (failure === undefined || operation === undefined || accept === undefined) continue;
    if (point === undefined) throw new Error(`${operation} failed without a crash: ${failure}`);
    stage.say(`  seed ${point.seed}: ${operation} ended with ${failure}; asked for again`);
    outcome = 'failed cleanly';
    await run(stage, operation, { ...input }, accept);
  }
  if (!(await isHealed())) throw new Error(`${away}: what was damaged does not have its bytes again`);
  const newest = lastMade.get(stage);
  if (newest !== undefined) await run<CopyResult>(stage, 'copy', { target: away, backup: newest }, refusedOf);
  return point === undefined ? undefined : { seed: point.seed, hit, outcome };
}

/** Undisturbed prunes and readings of both stores: nothing may stand in their way, and nothing may be bad. */
async function settle(stage: Stage): Promise<void> {
  for (const store of storesOf(stage).stores) {
    await run<PruneResult>(stage, 'prune', { store, ...AT_ONCE }, ({ outcome, why }) =>
      outcome === 'swept' || outcome === 'nothing' ? undefined : `${outcome}: ${why ?? ''}`,
    );
  }
  await run<VerifyStoreResult>(stage, 'heal', { all: true }, badOf);
}

const lastMade = new WeakMap<Stage, string>();

async function backUp(stage: Stage, plan: string, part: number): Promise<string> {
  const digest = await stage.lane.change(part);
  await run<BackupResult>(stage, 'backup', { plan }, (value) => madeOf(stage, plan, digest, value));
  return lastMade.get(stage) ?? '';
}

function madeOf(stage: Stage, plan: string, digest: string, result: BackupResult): string | undefined {
  const { outcome, backup, why } = result;
  if (outcome !== 'done' || backup === undefined) return `skipped: ${why ?? ''}`;
  if (result.verified?.ok === false) return `${backup} was found bad at once`;
  storesOf(stage).made(backup, plan, digest);
  lastMade.set(stage, backup);
  return undefined;
}

function refusedOf({ refused }: CopyResult): string | undefined {
  return refused.length === 0 ? undefined : refused.map(({ what, why }) => `${what}: ${why}`).join('; ');
}

/** It gives way to a capture that began in the wrong moment. */
function prunedOf({ outcome, why }: PruneResult): string | undefined {
  return ['swept', 'nothing', 'gave-way'].includes(outcome) ? undefined : `${outcome}: ${why ?? ''}`;
}

function badOf({ ok, stores, failed }: VerifyStoreResult): string | undefined {
  if (ok) return undefined;
  const bad = stores.flatMap(({ store, bad: found, moreBad }) =>
    found
      .filter(({ outcome }) => outcome !== 'healed')
      .map(({ key, what, outcome }) => `${store} ${key}: ${what} (${outcome}, ${moreBad} more)`),
  );
  return [...bad.slice(0, 5), ...failed.map(({ store, message }) => `${store}: ${message}`)].join('; ');
}

let runs = 0;

/** Without a crash. Throws when it comes to anything but what is accepted. */
async function run<T>(
  stage: Stage,
  operation: Told,
  input: object,
  accept: (value: T) => string | undefined,
): Promise<T> {
  const { name } = stage.lane;
  runs += 1;
  const id = `${name}/crash/quiet-${operation}/${runs}`;
  const outcome = await outcomeOf<T>(
    await startStory(stage.client, typeOf(stage, operation), id, { system: name, ...input }),
  );
  if (!outcome.ok) throw new Error(`${operation} failed: ${outcome.code} ${outcome.message}`);
  const trouble = accept(outcome.value);
  if (trouble !== undefined) throw new Error(`${operation}, ${JSON.stringify(input)}: ${trouble}`);
  return outcome.value;
}

function storesOf({ lane }: Stage): StoresLane {
  if (lane.stores === undefined) throw new Error(`${lane.name} has no two stores`);
  return lane.stores;
}
