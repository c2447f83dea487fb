/**
 * Two names, one live and one beside it, change what they stand for: directories, or single files. What is done, and
 * what is still to be done, is read from the disk itself: a journal, written before the first step, remembers by inode
 * number which is the old state and which the new one. So every call may be repeated after a crash at any line, and
 * each leaves the old or the new state whole under the live name.
 *
 * The exchange is one call of the kernel (renameat2, RENAME_EXCHANGE). Where the filesystem has none, three renames
 * stand for it; a crash between them leaves the live name absent until the call is repeated.
 */
import { lstat, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../failures.ts';
import { readJson, removeDurably, syncDirectory, writeJsonDurably } from './durable.ts';
import { failureOf, isMissing } from './io-errors.ts';
import { exchangeNames } from './system-calls.ts';

/**
 * Absolute paths on one filesystem. One of the two may be absent: then the other one takes its name. Where both are
 * absent there is nothing to do, which is refused unless `optional` says that it is expected.
 */
export interface SwapPair {
  readonly live: string;
  readonly beside: string;
  /** The new state may be an absence: what is live is then moved beside. */
  readonly optional?: boolean;
}

interface JournalPair extends SwapPair {
  /** Where the old state waits between the renames, when there is no exchange. */
  readonly spare: string;
  /** Inode numbers as text; null when there was nothing under the live name. */
  readonly oldInode: string | null;
  /** Null when the new state is an absence. */
  readonly newInode: string | null;
}

interface Journal {
  readonly format: 1;
  readonly id: string;
  readonly pairs: readonly JournalPair[];
}

/** For tests: called before each step that changes names. */
export type StepHook = (step: string) => void;

export interface NameSwap {
  readonly id: string;
  readonly pairs: readonly SwapPair[];
  /** Every live name stands for the new state, every beside name for the old one (or is absent). Repeatable. */
  swap(): Promise<void>;
  /** The reverse, also of a half-done swap and of one never begun. What is live by then is kept beside. Repeatable. */
  undo(): Promise<void>;
  /** True when every live name stands for what it stood for when the swap was opened. */
  untouched(): Promise<boolean>;
  /** The same for one of the live names. */
  isOld(live: string): Promise<boolean>;
  /** Forgets the journal: the swap, or its undoing, is final. Repeatable. Nothing else is touched. */
  close(): Promise<void>;
}

export interface SwapOptions {
  /** Tests only. */
  readonly beforeStep?: StepHook;
  /** Tests only: as on a filesystem without RENAME_EXCHANGE. */
  readonly withoutExchange?: boolean;
}

/**
 * Opens the swap of this id: its journal in `journalDirectory` is found, or written (and durable) when there is none.
 * Nothing is renamed yet. A journal of the same id for other names is a defect and refused.
 * Throws SourceMissing when a copy beside is gone, BadInput when a pair crosses filesystems.
 */
export async function openSwap(
  journalDirectory: string,
  id: string,
  pairs: readonly SwapPair[],
  options: SwapOptions = {},
): Promise<NameSwap> {
  const known = await findSwap(journalDirectory, id, options);
  if (known !== undefined) {
    if (JSON.stringify(known.pairs) !== JSON.stringify(pairs.map(({ live, beside }) => ({ live, beside })))) {
      throw new HoldfastError('Internal', `The journal of swap ${id} is about other names`);
    }
    return known;
  }
  const journal: Journal = { format: 1, id, pairs: await Promise.all(pairs.map((pair) => facts(id, pair))) };
  options.beforeStep?.('write the journal');
  await writeJsonDurably(journalPath(journalDirectory, id), journal);
  return handle(journalDirectory, journal, options);
}

/** The swap of this id when a journal of it exists, whatever state it is in. */
export async function findSwap(
  journalDirectory: string,
  id: string,
  options: SwapOptions = {},
): Promise<NameSwap | undefined> {
  const journal = (await readJson(journalPath(journalDirectory, id))) as Journal | undefined;
  return journal === undefined ? undefined : handle(journalDirectory, journal, options);
}

function journalPath(directory: string, id: string): string {
  return join(directory, `${encodeURIComponent(id)}.swap.json`);
}

async function facts(id: string, pair: SwapPair): Promise<JournalPair> {
  const fresh = await identity(pair.beside);
  if (fresh === null && pair.optional !== true)
    throw new HoldfastError('SourceMissing', `The restored copy ${pair.beside} does not exist`);
  const old = await identity(pair.live);
  const filesystem = old?.device ?? (await identity(dirname(pair.live)))?.device;
  const besideFilesystem = fresh?.device ?? (await identity(dirname(pair.beside)))?.device;
  if (filesystem !== besideFilesystem) {
    throw new HoldfastError(
      'BadInput',
      `${pair.live} and ${pair.beside} lie on different filesystems, so one can't take the name of the other`,
    );
  }
  const spare = join(
    dirname(pair.live),
    `.holdfast-spare-${encodeURIComponent(id)}-${fresh?.inode ?? `of-${old?.inode ?? 0}`}`,
  );
  const { live, beside } = pair;
  return { live, beside, spare, oldInode: old?.inode ?? null, newInode: fresh?.inode ?? null };
}

async function identity(path: string): Promise<{ device: bigint; inode: string } | null> {
  try {
    const stats = await lstat(path, { bigint: true });
    return { device: stats.dev, inode: String(stats.ino) };
  } catch (error) {
    if (isMissing(error)) return null;
    throw failureOf(error, `look at ${path}`);
  }
}

function handle(directory: string, journal: Journal, options: SwapOptions): NameSwap {
  const steps = new Steps(options);
  return {
    id: journal.id,
    pairs: journal.pairs.map(({ live, beside }) => ({ live, beside })),
    async swap() {
      for (const pair of journal.pairs) await swapPair(pair, steps);
    },
    async undo() {
      for (const pair of journal.pairs.toReversed()) await undoPair(pair, steps);
    },
    async untouched() {
      const seen = await Promise.all(journal.pairs.map(look));
      return journal.pairs.every((pair, index) => seen[index]?.live === pair.oldInode);
    },
    async isOld(live) {
      const pair = journal.pairs.find((candidate) => candidate.live === live);
      return pair !== undefined && (await look(pair)).live === pair.oldInode;
    },
    async close() {
      options.beforeStep?.('remove the journal');
      await removeDurably(journalPath(directory, journal.id));
    },
  };
}

interface Seen {
  readonly live: string | null;
  readonly beside: string | null;
  readonly spare: string | null;
}

async function look(pair: JournalPair): Promise<Seen> {
  const [live, beside, spare] = await Promise.all([pair.live, pair.beside, pair.spare].map(identity));
  return { live: live?.inode ?? null, beside: beside?.inode ?? null, spare: spare?.inode ?? null };
}

async function swapPair(pair: JournalPair, steps: Steps): Promise<void> {
  const seen = await look(pair);
  if (seen.live === pair.newInode) {
    if (seen.spare !== null && seen.beside === null) await steps.rename(pair.spare, pair.beside);
    return;
  }
  if (seen.beside !== pair.newInode) throw strange(pair, 'the restored copy is neither beside nor live');
  if (seen.live === null && (pair.oldInode === null || seen.spare === pair.oldInode)) {
    await steps.rename(pair.beside, pair.live);
    if (seen.spare !== null) await steps.rename(pair.spare, pair.beside);
    return;
  }
  if (seen.live !== pair.oldInode) throw strange(pair, 'somebody replaced what was live');
  if (pair.newInode === null) await steps.rename(pair.live, pair.beside);
  else await steps.exchange(pair, pair.beside);
}

async function undoPair(pair: JournalPair, steps: Steps): Promise<void> {
  const seen = await look(pair);
  if (seen.live === pair.oldInode) return;
  if (pair.oldInode === null) {
    if (seen.beside !== null) throw strange(pair, 'there are both a live state and a copy beside');
    await steps.rename(pair.live, pair.beside);
  } else if (seen.spare === pair.oldInode) {
    if (seen.live !== null) {
      if (seen.beside !== null) throw strange(pair, 'there are a live state and a copy beside, and neither is the old');
      await steps.rename(pair.live, pair.beside);
    }
    await steps.rename(pair.spare, pair.live);
  } else if (seen.beside === pair.oldInode) {
    if (seen.live === null) await steps.rename(pair.beside, pair.live);
    else await steps.exchange(pair, pair.beside);
  } else {
    throw strange(pair, 'the old state is under none of the names it could have');
  }
}

function strange(pair: JournalPair, what: string): HoldfastError {
  return new HoldfastError('PlanChanged', `${pair.live} can't be exchanged with ${pair.beside}: ${what}`);
}

class Steps {
  private readonly options: SwapOptions;

  constructor(options: SwapOptions) {
    this.options = options;
  }

  async rename(from: string, to: string): Promise<void> {
    await this.step(`rename ${from} to ${to}`, () => rename(from, to));
    await syncParents(from, to);
  }

  async exchange(pair: JournalPair, other: string): Promise<void> {
    const possible = this.options.withoutExchange !== true;
    if (possible && (await this.step(`exchange ${pair.live} and ${other}`, () => exchangeNames(pair.live, other)))) {
      await syncParents(pair.live, other);
      return;
    }
    const oldIsLive = (await identity(pair.live))?.inode === pair.oldInode;
    await this.rename(oldIsLive ? pair.live : other, pair.spare);
    await this.rename(oldIsLive ? other : pair.live, oldIsLive ? pair.live : other);
    await this.rename(pair.spare, oldIsLive ? other : pair.live);
  }

  private async step<T>(what: string, run: () => T | Promise<T>): Promise<T> {
    this.options.beforeStep?.(what);
    try {
      return await run();
    } catch (error) {
      throw failureOf(error, what);
    }
  }
}

async function syncParents(one: string, other: string): Promise<void> {
  await syncDirectory(dirname(one));
  if (dirname(other) !== dirname(one)) await syncDirectory(dirname(other));
}
