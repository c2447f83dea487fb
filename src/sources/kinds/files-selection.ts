/**
 * What has to change names so that a restored tree takes the place of the live one, and nothing else does: what a
 * component leaves out (excluded, not included, another filesystem, copies of other restores) stays where it is.
 */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import type { SwapPair } from '../directory-swap.ts';
import { isMissing } from '../io-errors.ts';
import { matcherOf } from '../tree/globs.ts';
import type { PathMatcher } from '../tree/globs.ts';

export interface Selection {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Above 0 the newest files were not captured, so that what the copy lacks is left in place. */
  readonly minimumAgeSeconds: number;
}

interface Walk {
  readonly live: string;
  readonly work: string;
  readonly included: PathMatcher | undefined;
  readonly excluded: PathMatcher;
  readonly keepsAbsent: boolean;
  readonly device: number;
  readonly signal: AbortSignal;
}

interface Child {
  readonly directory: boolean;
  readonly device: number;
}

/**
 * One pair for the whole tree where the component takes all of it; otherwise it goes down to what differs in that.
 * Live entries that the component takes and the copy lacks change sides too: afterwards the tree is as it was.
 */
export async function pairsOfSelection(
  live: string,
  work: string,
  selection: Selection,
  signal: AbortSignal,
): Promise<readonly SwapPair[]> {
  const root = await lookAt(live);
  if (root?.directory !== true) return [{ live, beside: work }];
  const walk: Walk = {
    live,
    work,
    included: selection.include.length === 0 ? undefined : matcherOf(selection.include),
    excluded: matcherOf(selection.exclude),
    keepsAbsent: selection.minimumAgeSeconds > 0,
    device: root.device,
    signal,
  };
  const whole = !isInside(work, live) && (await takesAll(walk, '', walk.included === undefined));
  return whole ? [{ live, beside: work }] : inside(walk, '', walk.included === undefined);
}

function isInside(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`);
}

/** True when nothing below a live directory is left out. */
async function takesAll(walk: Walk, path: string, wholly: boolean): Promise<boolean> {
  if (walk.keepsAbsent || !wholly) return false;
  walk.signal.throwIfAborted();
  for (const entry of await readdir(join(walk.live, path), { withFileTypes: true })) {
    const inner = joined(path, entry.name);
    if (walk.excluded(inner)) return false;
    if (!entry.isDirectory()) continue;
    const child = await lookAt(join(walk.live, inner));
    if (child !== undefined && child.device !== walk.device) return false;
    if (!(await takesAll(walk, inner, true))) return false;
  }
  return true;
}

async function inside(walk: Walk, path: string, wholly: boolean): Promise<SwapPair[]> {
  walk.signal.throwIfAborted();
  const pairs: SwapPair[] = [];
  for (const name of await namesOf(walk, path)) {
    const inner = joined(path, name);
    if (walk.excluded(inner)) continue;
    pairs.push(...(await pairsFor(walk, inner, wholly || (walk.included?.(inner) ?? true))));
  }
  return pairs;
}

async function pairsFor(walk: Walk, path: string, wanted: boolean): Promise<SwapPair[]> {
  const pair = { live: join(walk.live, path), beside: join(walk.work, path) };
  const [live, beside] = await Promise.all([lookAt(pair.live), lookAt(pair.beside)]);
  if (live === undefined) return beside === undefined ? [] : [pair];
  if (!live.directory) {
    if (beside !== undefined) return [pair];
    return wanted && !walk.keepsAbsent ? [{ ...pair, optional: true }] : [];
  }
  if (live.device !== walk.device) return [];
  if (await takesAll(walk, path, wanted)) return [{ ...pair, optional: true }];
  // What is left out lies below it: only what the copy holds is exchanged.
  if (beside === undefined) return [];
  if (beside.directory) return inside(walk, path, wanted);
  throw new HoldfastError('TargetNotEmpty', `${pair.live} is a directory with files that the backup leaves out`, {
    hint: 'Move them away, or restore to another place.',
  });
}

/** Names on either side; a journal can only hold those that are text. */
async function namesOf(walk: Walk, path: string): Promise<string[]> {
  const [live, beside] = await Promise.all([walk.live, walk.work].map((root) => namesIn(join(root, path))));
  return [...new Set([...(live ?? []), ...(beside ?? [])])];
}

async function namesIn(directory: string): Promise<string[]> {
  const names = (await readdir(directory, { encoding: 'buffer' })).map((name) => ({ name, text: name.toString() }));
  for (const { name, text } of names) {
    if (Buffer.compare(Buffer.from(text), name) !== 0) {
      throw new HoldfastError('BadInput', `${join(directory, text)} is no UTF-8, and not all beside it is restored`, {
        hint: 'Restore to another place, or rename that file.',
      });
    }
  }
  return names.map(({ text }) => text);
}

function joined(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}

async function lookAt(path: string): Promise<Child | undefined> {
  try {
    const stats = await lstat(path);
    return { directory: stats.isDirectory(), device: stats.dev };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
