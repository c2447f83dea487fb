/** One operation of a cycle, struck at its point: completed, or failed cleanly and completed when it is asked for again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { isFailureCode } from '../../src/failures.ts';
import { WORKFLOWS } from '../../src/workflows/contract.ts';
import type { Errand, Lane } from './lane.ts';
import type { Operation, Point } from './points.ts';
import { outcomeOf, startStory, stepsOf } from './story.ts';
import type { Outcome, Step } from './story.ts';
import { strike } from './strike.ts';
import type { Arena } from './strike.ts';

const TROUBLE_LIMIT_MS = 60_000;

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
export type Told = Exclude<Operation, 'receive' | 'storm'>;

const TYPES: Readonly<Record<Exclude<Told, 'errand' | 'second errand'>, string>> = {
  backup: WORKFLOWS.backup,
  restore: WORKFLOWS.restore,
  rows: WORKFLOWS.restoreRows,
  copy: WORKFLOWS.copy,
  prune: WORKFLOWS.prune,
  heal: WORKFLOWS.verifyStore,
  missing: WORKFLOWS.restoreMissing,
  undo: WORKFLOWS.restoreMissing,
};

/** The workflow that an operation is. */
export function typeOf({ lane }: Pick<Stage, 'lane'>, operation: Told): string {
  if (operation !== 'errand' && operation !== 'second errand') return TYPES[operation];
  return errandOf(lane).workflow;
}

export function errandOf({ name, errand }: Lane): Errand {
  if (errand === undefined) throw new Error(`${name} has no errand`);
  return errand;
}

/** What is looked at first and approved then, as a person does: the input with its approval. */
export async function previewed(stage: Stage, operation: Told, input: object): Promise<object> {
  const id = `${stage.lane.name}/crash/plan/${stage.count.cycles}/${Date.now()}`;
  const handle = await startStory(stage.client, typeOf(stage, operation), id, { ...input, mode: 'plan' });
  const outcome = await outcomeOf<{ readonly plan: { readonly digest: string } }>(handle);
  if (!outcome.ok) throw new Error(`no plan: ${outcome.code} ${outcome.message}`);
  return { ...input, approve: outcome.value.plan.digest, approvedBy: 'crash suite' };
}

export async function tell<T>(
  stage: Stage,
  operation: Told,
  id: string,
  input: object,
  point: Point | undefined,
): Promise<{ outcome: Outcome<T>; struck: boolean }> {
  const handle = await startStory(stage.client, typeOf(stage, operation), id, input);
  stage.lane.runs?.add(handle.firstExecutionRunId);
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

/** What a crash may leave for a moment, because a release is still under way, must be gone soon. */
export async function untroubled(lane: Lane): Promise<void> {
  const end = Date.now() + TROUBLE_LIMIT_MS;
  for (;;) {
    const troubles = await lane.troubles();
    if (troubles.length === 0) return;
    if (Date.now() > end) throw new Error(troubles.join('; '));
    await sleep(200);
  }
}

/**
 * Runs the operation; when it failed cleanly nothing is left of it, and asked for once more, without a crash, it has to
 * complete. `part` tells one of several in a cycle from the others.
 */
export async function endure<T>(
  stage: Stage,
  operation: Told,
  input: () => Promise<object>,
  accept: (value: T) => string | undefined,
  point: Point | undefined,
  part = '',
): Promise<{ value: T; struck: StruckPoint | undefined }> {
  const id = `${stage.lane.name}/crash/${operation}/${stage.count.cycles}${part}`;
  const first = await tell<T>(stage, operation, id, await input(), point);
  const failure = first.outcome.ok ? accept(first.outcome.value) : cleanFailure(first.outcome);
  const struck = (outcome: StruckPoint['outcome']): StruckPoint | undefined =>
    point === undefined ? undefined : { seed: point.seed, hit: first.struck, outcome };
  if (first.outcome.ok && failure === undefined) return { value: first.outcome.value, struck: struck('completed') };
  if (point === undefined) throw new Error(`${operation} failed without a crash: ${failure ?? ''}`);
  stage.say(`  seed ${point.seed}: ended with ${failure ?? ''}; asked for again`);
  await untroubled(stage.lane);
  const second = await tell<T>(stage, operation, `${id}/again`, await input(), undefined);
  if (!second.outcome.ok)
    throw new Error(`${operation} failed again: ${second.outcome.code} ${second.outcome.message}`);
  const still = accept(second.outcome.value);
  if (still !== undefined) throw new Error(`${operation} failed again: ${still}`);
  return { value: second.outcome.value, struck: struck('failed cleanly') };
}

export function cleanFailure(outcome: Extract<Outcome<never>, { ok: false }>): string {
  if (!isFailureCode(outcome.code) || outcome.code === 'Internal') {
    throw new Error(`it ended with something nobody foresaw: ${outcome.code}: ${outcome.message}`);
  }
  return `${outcome.code}: ${outcome.message}`;
}
