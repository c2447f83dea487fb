/**
 * A restored copy on its way into the place of the live state, for kinds that live in the file system. Everything made
 * for it lies in one hidden directory beside the live state, whose name follows from the restore's id, and a record in
 * the state directory says where; so every step finds what an earlier attempt did, even when its word never came back.
 */
import { chmod, chown, lstat, mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { HoldfastError } from '../failures.ts';
import { ACL_KEYWORDS } from './acl.ts';
import { findSwap, openSwap } from './directory-swap.ts';
import type { NameSwap, SwapPair } from './directory-swap.ts';
import { readJson, removeDurably, syncDirectory, writeJsonDurably } from './durable.ts';
import { errorCode, failureOf, isMissing } from './io-errors.ts';
import { removeXattr, systemCallsProblem } from './system-calls.ts';

/** Names that a capture leaves out: copies and asides of restores. */
export const OWN_NAMES = '.holdfast-*';

export interface ReplacementRecord {
  readonly format: 1;
  /** The place the component lives at, links resolved. */
  readonly live: string;
  /** The hidden directory. */
  readonly work: string;
  /** Another place that the copy is for; nothing live is touched then. */
  readonly elsewhere: string | null;
  /** Where the copy was before it was moved beside the live state; removed with it. */
  readonly formerWork?: string;
  /** Inode of what was put elsewhere. */
  readonly deliveredInode: string | null;
  /** What the kind needs to judge the copy. */
  readonly expected: unknown;
}

export class Replacement {
  private readonly recordPath: string;
  private readonly swaps: string;
  private readonly id: string;

  constructor(stateDirectory: string, restoreId: string, component: string) {
    this.id = `${restoreId}-${component}`;
    if (!/^[\w.-]+$/.test(this.id)) throw new HoldfastError('BadInput', `${this.id} can't be part of a file name`);
    this.recordPath = join(stateDirectory, 'restores', `${this.id}.json`);
    this.swaps = join(stateDirectory, 'swaps');
  }

  async record(): Promise<ReplacementRecord | undefined> {
    return (await readJson(this.recordPath)) as ReplacementRecord | undefined;
  }

  /** The record of a copy that must be there. */
  async known(): Promise<ReplacementRecord> {
    const record = await this.record();
    if (record === undefined) {
      throw new HoldfastError('SourceMissing', `There is no record of the restored copy ${this.id} on this host`);
    }
    return record;
  }

  /**
   * Makes the hidden directory, empty and closed to others, in `parent`. What an earlier attempt left there is removed.
   */
  async begin(live: string, parent: string, elsewhere: string | null): Promise<ReplacementRecord> {
    if ((await findSwap(this.swaps, this.id)) !== undefined) {
      throw new HoldfastError('Internal', `The restored copy ${this.id} is on its way into place already`);
    }
    const earlier = await this.record();
    for (const left of earlier === undefined ? [] : worksOf(earlier)) await rm(left, { recursive: true, force: true });
    if (earlier !== undefined && (await isDelivered(earlier))) {
      await rm(earlier.elsewhere ?? '', { recursive: true, force: true });
    }
    if (elsewhere !== null) await checkElsewhere(elsewhere);
    const work = join(parent, `.holdfast-${this.id}`);
    const record: ReplacementRecord = { format: 1, live, work, elsewhere, deliveredInode: null, expected: null };
    await writeJsonDurably(this.recordPath, record);
    try {
      await rm(work, { recursive: true, force: true });
      await mkdir(parent, { recursive: true });
      await mkdir(work, { mode: 0o700 });
      await handDownNothing(work);
    } catch (error) {
      throw failureOf(error, `make ${work}`);
    }
    return record;
  }

  async update(record: ReplacementRecord): Promise<ReplacementRecord> {
    await writeJsonDurably(this.recordPath, record);
    return record;
  }

  /**
   * Gives the copy at `from` its name elsewhere. An empty directory there is replaced; throws TargetNotEmpty for
   * anything else. Repeated after a crash it finds its own delivery.
   */
  async deliver(record: ReplacementRecord, from: string): Promise<void> {
    const to = record.elsewhere;
    if (to === null) return;
    const { ino } = await lstat(from, { bigint: true });
    await this.update({ ...record, deliveredInode: String(ino) });
    await clearEmpty(to);
    try {
      await rename(from, to);
      await syncDirectory(dirname(to));
    } catch (error) {
      throw failureOf(error, `give ${from} the name ${to}`);
    }
    if (from !== record.work) await rm(record.work, { recursive: true, force: true });
  }

  /** The copy lies where names can't be exchanged with the live state; `moveBeside` helps. */
  isApart(record: ReplacementRecord): boolean {
    return movedWork(record) !== undefined;
  }

  /**
   * A copy that was made in another place comes beside the live state, so that names can be exchanged. `copy` is asked
   * where a rename does not lead there, such as from one mount to another. Repeatable.
   */
  async moveBeside(copy: (from: string, to: string) => Promise<void>): Promise<void> {
    const record = await this.known();
    const to = movedWork(record);
    if (to === undefined) return;
    // Without the one an earlier attempt has renamed it already.
    if (await exists(record.work)) {
      try {
        await rm(to, { recursive: true, force: true });
        await rename(record.work, to);
      } catch (error) {
        if (errorCode(error) !== 'EXDEV') throw failureOf(error, `move ${record.work} to ${to}`);
        await copy(record.work, to);
      }
    }
    await this.update({ ...record, work: to, formerWork: record.work });
    await rm(record.work, { recursive: true, force: true });
  }

  /** Exchanges the names. `pairs` is asked only when no journal says what was begun. */
  async swapIn(pairs: () => Promise<readonly SwapPair[]>): Promise<void> {
    const swap = (await this.swap()) ?? (await openSwap(this.swaps, this.id, await pairs()));
    await swap.swap();
  }

  async swap(): Promise<NameSwap | undefined> {
    return findSwap(this.swaps, this.id);
  }

  async swapBack(): Promise<void> {
    await (await this.swap())?.undo();
  }

  /** Between two renames of a swap that nobody goes on with nothing has the live name: the old state gets it back. */
  async fillAbsence(): Promise<void> {
    const record = await this.record();
    if (record === undefined || record.elsewhere !== null || (await exists(record.live))) return;
    await this.swapBack();
  }

  /** Where the old state is kept after a commit. */
  asideOf({ work }: ReplacementRecord): string {
    return asideOf(work, this.id);
  }

  /** Ends a swap for good. The old state keeps a name of its own, or goes. */
  async commit(keep: boolean): Promise<{ aside?: string }> {
    const record = await this.record();
    if (record === undefined) return {};
    if (record.elsewhere !== null) {
      await removeDurably(this.recordPath);
      return {};
    }
    await (await this.swap())?.close();
    if (record.formerWork !== undefined) await rm(record.formerWork, { recursive: true, force: true });
    const aside = this.asideOf(record);
    if (!keep) {
      await Promise.all([record.work, aside].map((path) => rm(path, { recursive: true, force: true })));
      await removeDurably(this.recordPath);
      return {};
    }
    if (await exists(record.work)) {
      // Nothing old is left: there was nothing before.
      if (await isEmptyDirectory(record.work)) await rm(record.work, { recursive: true });
      else await rename(record.work, aside);
      await syncDirectory(dirname(aside));
    }
    return (await exists(aside)) ? { aside } : {};
  }

  /** Removes the copy. Refused while a swap of it is not undone: then the old state lies where the copy was. */
  async discard(): Promise<void> {
    const record = await this.record();
    const swap = await this.swap();
    if (swap !== undefined) {
      if (!(await swap.untouched())) {
        throw new HoldfastError('PlanChanged', `The restored copy ${this.id} is in use; undo the swap first`);
      }
      await swap.close();
    }
    if (record === undefined) return;
    for (const work of worksOf(record)) await rm(work, { recursive: true, force: true });
    if (await isDelivered(record)) {
      await rm(record.elsewhere ?? '', { recursive: true, force: true });
    }
    await removeDurably(this.recordPath);
  }
}

/** Where the old state is kept; `id` is the restore's and the component's. */
export function asideOf(work: string, id: string): string {
  return join(dirname(work), `.holdfast-aside-${id}`);
}

/** Where the copy goes before the exchange, when it is not there. */
function movedWork({ elsewhere, live, work }: ReplacementRecord): string | undefined {
  if (elsewhere !== null || dirname(work) === dirname(live)) return undefined;
  return join(dirname(live), basename(work));
}

/** Every place in which a copy may lie, whole or in part. */
function worksOf(record: ReplacementRecord): string[] {
  return [record.work, record.formerWork, movedWork(record)].filter((each) => each !== undefined);
}

/** The group and the default ACLs that a directory hands down come from its parent, not from the backup. */
async function handDownNothing(directory: string): Promise<void> {
  await chown(directory, process.geteuid?.() ?? 0, process.getegid?.() ?? 0);
  await chmod(directory, 0o700);
  if (systemCallsProblem() !== undefined) return;
  for (const name of Object.keys(ACL_KEYWORDS)) removeXattr(directory, name);
}

/** A place of the operator's choice: absolute, not there or an empty directory. Throws BadInput, TargetNotEmpty. */
export async function checkElsewhere(place: string): Promise<string> {
  if (!isAbsolute(place) || basename(place) === '') {
    throw new HoldfastError('BadInput', `The target ${place} must be the absolute path of a directory or file`);
  }
  if ((await exists(place)) && !(await isEmptyDirectory(place))) {
    throw new HoldfastError('TargetNotEmpty', `The target ${place} exists and is not an empty directory`);
  }
  return place;
}

/** True when what lies elsewhere is what was put there, and not something of the operator's. */
async function isDelivered(record: ReplacementRecord): Promise<boolean> {
  if (record.elsewhere === null || record.deliveredInode === null) return false;
  return (await inodeOf(record.elsewhere)) === record.deliveredInode;
}

async function clearEmpty(place: string): Promise<void> {
  try {
    await rmdir(place);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw new HoldfastError('TargetNotEmpty', `The target ${place} exists and is not an empty directory`, {
      cause: error,
    });
  }
}

async function isEmptyDirectory(path: string): Promise<boolean> {
  try {
    return (await readdir(path)).length === 0;
  } catch (error) {
    if (isMissing(error)) return false;
    throw failureOf(error, `read ${path}`);
  }
}

export async function exists(path: string): Promise<boolean> {
  return (await inodeOf(path)) !== null;
}

async function inodeOf(path: string): Promise<string | null> {
  try {
    return String((await lstat(path, { bigint: true })).ino);
  } catch (error) {
    if (isMissing(error)) return null;
    throw failureOf(error, `look at ${path}`);
  }
}
