/** Which backups a drill restores: whole ones where it can be, of each component the one that was asked for. Pure. */
import { HoldfastError } from '../failures.ts';
import type { Plan } from '../system/types.ts';

export interface Choosable {
  readonly id: string;
  readonly plan: string;
  readonly pointAtMs: number;
  readonly components: readonly string[];
}

export interface Wanted {
  readonly components: readonly string[];
  readonly plan?: string | undefined;
  /** An id; absent or `latest`: by age. */
  readonly backup?: string | undefined;
  /** The age that is wanted; absent: the newest. */
  readonly olderThanSeconds?: number | undefined;
}

export interface Chosen<B extends Choosable> {
  readonly backup: B;
  /** Those that are restored of it. */
  readonly components: readonly string[];
}

/** Age is only about what was asked for when it is off by more than this share of it. */
const OFF = 0.25;

/**
 * `backups` are usable ones, in any order. Every component that is wanted comes from exactly one backup; components in
 * no backup are told in `warnings`. Throws BackupMissing when there is nothing to restore.
 */
export function chooseForDrill<B extends Choosable>(
  backups: readonly B[],
  wanted: Wanted,
  nowMs: number,
): { chosen: Chosen<B>[]; warnings: string[] } {
  const { backup: id = 'latest', plan, olderThanSeconds } = wanted;
  const fitting = backups.filter(
    (one) => (plan === undefined || one.plan === plan) && (id === 'latest' || one.id === id),
  );
  const ageOf = ({ pointAtMs }: B): number => (nowMs - pointAtMs) / 1000;
  const distance = (one: B): number => Math.abs(ageOf(one) - (olderThanSeconds ?? 0));
  const nearestFirst = fitting.toSorted(
    (a, b) => distance(a) - distance(b) || b.components.length - a.components.length,
  );
  const byBackup = new Map<B, string[]>();
  const missing: string[] = [];
  for (const component of wanted.components) {
    const found = nearestFirst.find(({ components }) => components.includes(component));
    if (found === undefined) missing.push(component);
    else byBackup.set(found, [...(byBackup.get(found) ?? []), component]);
  }
  if (byBackup.size === 0) {
    const of = plan === undefined ? '' : ` of plan ${plan}`;
    throw new HoldfastError('BackupMissing', `there is no usable backup "${id}"${of} to rehearse with`);
  }
  const warnings = [...byBackup.keys()].flatMap((one) => {
    if (olderThanSeconds === undefined || distance(one) <= olderThanSeconds * OFF) return [];
    const days = (seconds: number): string => (seconds / 86_400).toFixed(1);
    return [`${one.id} is ${days(ageOf(one))} days old: none comes nearer to the ${days(olderThanSeconds)} asked for`];
  });
  if (missing.length > 0) warnings.push(`in no such backup, so not rehearsed: ${missing.join(', ')}`);
  return { chosen: [...byBackup].map(([backup, components]) => ({ backup, components })), warnings };
}

/** The fewest plans, roughly, that together capture these components: each time the one that adds most. */
export function plansCovering(
  plans: readonly Pick<Plan, 'name' | 'components'>[],
  components: readonly string[],
): string[] {
  const left = new Set(components);
  const chosen: string[] = [];
  for (;;) {
    const gains = plans.map(({ components: own }) => own.filter((name) => left.has(name)).length);
    const most = Math.max(0, ...gains);
    const best = plans[gains.indexOf(most)];
    if (best === undefined || most === 0) return chosen;
    chosen.push(best.name);
    for (const name of best.components) left.delete(name);
  }
}
