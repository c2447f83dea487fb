/** Which backup is the newest that is known to be clean, from what was found in each of them. Pure. */

/** `suspect`: a sign, no proof. `unknown`: it was to be judged and could not be. `skipped`: there was nothing to judge by. */
export type CleanState = 'clean' | 'suspect' | 'bad' | 'unknown' | 'skipped';

export interface CleanCheck {
  readonly component: string;
  readonly name: 'restored' | 'command' | 'query' | 'entropy' | 'changes';
  readonly state: CleanState;
  /** One line, without names of files. */
  readonly detail: string;
}

export interface BackupVerdict {
  readonly backup: string;
  readonly pointAt: string;
  readonly state: Exclude<CleanState, 'skipped'>;
  readonly checks: readonly CleanCheck[];
}

/**
 * The worst that any check says. That a backup can be restored says nothing of what is in it: to be clean, every
 * component needs at least one other check that was made and found nothing.
 */
export function stateOf(checks: readonly CleanCheck[], components: readonly string[]): BackupVerdict['state'] {
  for (const worst of ['bad', 'suspect', 'unknown'] as const) {
    if (checks.some(({ state }) => state === worst)) return worst;
  }
  const judged = (component: string): boolean =>
    checks.some((check) => check.component === component && check.name !== 'restored' && check.state === 'clean');
  return components.length > 0 && components.every(judged) ? 'clean' : 'unknown';
}

export interface CleanDecision {
  /** The newest backup in which everything that was looked at is clean. */
  readonly newestClean?: string;
  /** In which something was found, newest first. Also such as are older than the clean one. */
  readonly notClean: readonly string[];
  readonly undecided: readonly string[];
}

/** Older never means cleaner: each backup is taken for what was found in itself. */
export function decideCleanPoint(verdicts: readonly BackupVerdict[]): CleanDecision {
  const newestFirst = verdicts.toSorted((a, b) => Date.parse(b.pointAt) - Date.parse(a.pointAt));
  const clean = newestFirst.find(({ state }) => state === 'clean');
  return {
    ...(clean === undefined ? {} : { newestClean: clean.backup }),
    notClean: newestFirst.filter(({ state }) => state === 'bad' || state === 'suspect').map(({ backup }) => backup),
    undecided: newestFirst.filter(({ state }) => state === 'unknown').map(({ backup }) => backup),
  };
}

/**
 * Which of the backups, newest first, is looked at next; undefined when that is enough. `all`: every one, newest first.
 * `bisect`: halves the range between the oldest that is not clean and the newest clean one that is older, which is right
 * only if what has come once has stayed since.
 */
export function nextToLook(seen: readonly (boolean | undefined)[], way: 'all' | 'bisect'): number | undefined {
  const open = seen.flatMap((one, index) => (one === undefined ? [index] : []));
  if (way === 'all' || open.length === 0) return open[0];
  if (seen[0] === undefined) return 0;
  if (seen[0]) return undefined;
  const clean = seen.findIndex((one) => one === true);
  const end = clean === -1 ? seen.length : clean;
  const bad = seen.slice(0, end).lastIndexOf(false);
  const between = open.filter((index) => index > bad && index < end);
  return between[Math.floor((between.length - 1) / 2)];
}

/** What a manifest tells of one component. */
export interface ChangeFacts {
  readonly backup: string;
  readonly chunksNew: number;
  readonly chunksReused: number;
  readonly lengthBytes: number;
  /** Another one means other names for the same data: everything counts as new. */
  readonly epoch: string;
}

const LEAST_BEFORE = 3;
const MOST_BEFORE = 7;
const LEAST_CHUNKS = 8;
const LARGE_SHARE = 0.3;
const TIMES_USUAL = 3;
const SHRUNK_TO = 0.5;

/** Each against the mean of up to seven before it; `oldestFirst` are those of one plan. */
export function judgeChanges(
  oldestFirst: readonly ChangeFacts[],
): Map<string, { state: 'clean' | 'suspect' | 'skipped'; detail: string }> {
  return new Map(oldestFirst.map((one, index) => [one.backup, judgeChange(one, oldestFirst.slice(0, index))]));
}

function judgeChange(
  one: ChangeFacts,
  before: readonly ChangeFacts[],
): { state: 'clean' | 'suspect' | 'skipped'; detail: string } {
  const previous = before.at(-1);
  // The first capture of its epoch has stored everything, and says nothing of what changed.
  const comparable = before.filter((each, index) => each.epoch === one.epoch && before[index - 1]?.epoch === one.epoch);
  const samples = comparable.slice(-MOST_BEFORE);
  if (previous?.epoch !== one.epoch || samples.length < LEAST_BEFORE) {
    return { state: 'skipped', detail: `only ${samples.length} backups before it to compare with` };
  }
  const usualBytes = mean(samples.map(({ lengthBytes }) => lengthBytes));
  if (one.lengthBytes < usualBytes * SHRUNK_TO) {
    return { state: 'suspect', detail: `it shrank to ${percent(one.lengthBytes / usualBytes)} of its usual size` };
  }
  if (one.chunksNew + one.chunksReused < LEAST_CHUNKS) {
    return { state: 'skipped', detail: 'too small to tell how much of it changed' };
  }
  const share = shareOf(one);
  const usual = mean(samples.map(shareOf));
  const detail = `${percent(share)} of it was new, against ${percent(usual)} in the ${samples.length} before`;
  return { state: share >= Math.max(LARGE_SHARE, usual * TIMES_USUAL) ? 'suspect' : 'clean', detail };
}

const shareOf = ({ chunksNew, chunksReused }: ChangeFacts): number =>
  chunksNew + chunksReused === 0 ? 0 : chunksNew / (chunksNew + chunksReused);
const mean = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
const percent = (share: number): string => `${Math.round(share * 100)} %`;

/**
 * A jump is a sign that stays with the backups after it, because what was written then is still in them, until the files
 * themselves were compared with those before and found readable. `oldestFirst`: one component.
 */
export function settleChanges(
  oldestFirst: readonly { readonly backup: string; readonly changes?: CleanCheck; readonly entropy?: CleanCheck }[],
): Map<string, CleanCheck> {
  const settled = new Map<string, CleanCheck>();
  let jump: string | undefined;
  for (const { backup, changes, entropy } of oldestFirst) {
    if (changes?.state === 'suspect') jump = backup;
    if (entropy?.state === 'clean') {
      if (changes?.state === 'suspect') {
        settled.set(backup, { ...changes, state: 'clean', detail: `${changes.detail}; but its files are readable` });
      } else if (changes !== undefined) settled.set(backup, changes);
      jump = undefined;
    } else if (changes !== undefined) {
      const after = jump !== undefined && jump !== backup;
      settled.set(
        backup,
        after ? { ...changes, state: 'suspect', detail: `it comes after the jump of backup ${jump ?? ''}` } : changes,
      );
    }
  }
  return settled;
}
