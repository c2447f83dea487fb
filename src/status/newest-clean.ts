/** The backup that the newest finished search for a clean one has named, as its signed report in the stores says it. */
import { HoldfastError } from '../failures.ts';
import type { System } from '../system/types.ts';
import { newestOf } from './checklist-run.ts';
import { CLEAN_POINT_LIST, LOOKED_AT } from './clean-report.ts';

export interface NewestClean {
  readonly backup: string;
  /** The components that were judged. */
  readonly components: readonly string[];
  /** Which search said so, when, and what was seen. For a person. */
  readonly note: string;
}

/**
 * Only the newest search counts: what an earlier one took for clean, a later one may have found something in. Throws
 * BackupMissing when there was none, when it has found none, and whatever reading the stores throws.
 */
export async function newestCleanOf(system: System): Promise<NewestClean> {
  const hint = `Look for one: holdfast clean-point ${system.name}`;
  const found = await newestOf(system, CLEAN_POINT_LIST);
  if (found === undefined) {
    throw new HoldfastError('BackupMissing', `nobody has looked for a clean backup of ${system.name} yet`, { hint });
  }
  const { at, by, key, answers } = found.body;
  // Newest first, so that the first that passed is the one that was named.
  const clean = answers.find(({ state }) => state === 'pass');
  if (clean === undefined) {
    const words = `the search of ${at} found no clean backup among ${answers.length} of ${system.name} (${key})`;
    throw new HoldfastError('BackupMissing', words, {
      hint: `${hint} --backups ${answers.length * 2}, or judged by something else`,
    });
  }
  const [, components = ''] = clean.text.split(LOOKED_AT);
  return {
    backup: clean.id,
    components: components === '' ? [] : components.split(', '),
    note: `clean by the search of ${at} (${by}, ${key}): ${clean.evidence}`,
  };
}

/** A warning for what nobody has judged. */
export function unjudgedOf({ components }: NewestClean, restored: readonly string[]): string[] {
  const unseen = restored.filter((name) => !components.includes(name));
  return unseen.length === 0 ? [] : [`that search did not look at ${unseen.join(', ')}`];
}
