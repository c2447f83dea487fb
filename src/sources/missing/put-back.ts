/**
 * Brings what lies beside a tree into it, each name only where nothing has it. What has appeared meanwhile is left and
 * told. Every step may be repeated after a crash at any line.
 */
import { mkdirSync, renameSync, rmSync, lstatSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { HoldfastError } from '../../failures.ts';
import { byteString, displayName, pathArgument, type ByteString } from '../byte-string.ts';
import { parentOf } from '../extract/safe-paths.ts';
import { errorCode, failureOf, isMissing } from '../io-errors.ts';
import type { KindContext } from '../kinds/component.ts';
import { writeLineFile } from '../rows/line-file.ts';
import { exchangeNames } from '../system-calls.ts';
import {
  linesOf,
  listedName,
  missingFiles,
  pathOf,
  readRecord,
  Tally,
  writeRecord,
  type Applied,
  type DoneLine,
  type FilePrint,
  type ListLine,
  type MissingFiles,
  type MissingRecord,
} from './files.ts';
import { exchangeSeen, HeldTree, placeNew, printOf } from './held-tree.ts';

const BREATHE_EVERY = 500;

/** Throws SourceMissing when what was brought is not there any more. */
export async function putBackMissing(
  context: KindContext,
  ask: { readonly id: string; readonly changed: boolean },
): Promise<Applied & { readonly doneFile: string; readonly aside?: string }> {
  const files = await missingFiles(context.stateDirectory, ask.id);
  const record = await readRecord(files);
  if (record?.brought !== true) throw new HoldfastError('SourceMissing', `nothing was brought for ${ask.id}`);
  const applied = record.applied ?? (await apply(record, files, ask.changed, context));
  const aside = applied.replaced > 0 ? { aside: record.aside } : {};
  return { ...applied, ...aside, doneFile: files.done };
}

async function apply(
  record: MissingRecord,
  files: MissingFiles,
  changed: boolean,
  context: KindContext,
): Promise<Applied> {
  await mkdir(record.rootIsGone === true ? dirname(record.base) : record.base, { recursive: true });
  const work = new HeldTree(byteString(record.work));
  const live = new HeldTree(byteString(record.base));
  const aside = changed ? openAside(record.aside) : undefined;
  try {
    const places: Places = { work, live, aside };
    const failures = new Map<ByteString, string>();
    let count = 0;
    for await (const line of linesOf<ListLine>(files.list)) {
      count += 1;
      if (count % BREATHE_EVERY === 0) await breathe();
      context.signal.throwIfAborted();
      context.report({ phase: 'put back', filesDone: count });
      place(line, places, failures);
    }
    for (const tree of [work, live, aside]) tree?.forget();
    const applied = await conclude(files, places, failures);
    if (live.look('') !== undefined) live.sync();
    // Before the copies go: afterwards nobody can tell what was put back and what was left.
    await writeRecord(files, { ...record, applied, appliedAtMs: Date.now() });
    return applied;
  } finally {
    for (const tree of [work, live, aside]) tree?.forget();
  }
}

interface Places {
  readonly work: HeldTree;
  readonly live: HeldTree;
  readonly aside: HeldTree | undefined;
}

function openAside(directory: string): HeldTree {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return new HeldTree(byteString(directory));
}

/** One name. What goes with a directory above it is in its place already when its turn comes. */
function place(line: ListLine, { work, live, aside }: Places, failures: Map<ByteString, string>): void {
  const path = pathOf(line);
  try {
    if (line.what === 'missing') {
      if (work.look(path) !== undefined) placeNew(work.at(path), live.at(path), line.kind === 'directory');
    } else if (aside !== undefined && line.live !== undefined) replace(path, line.live, { work, live, aside });
  } catch (error) {
    // Somebody put a file or a link where a directory was: what is there is left.
    if (['ENOTDIR', 'ELOOP'].includes(errorCode(error) ?? '')) return;
    failures.set(path, failureOf(error, `put ${displayName(path)} back`).message);
  }
}

/** The live file and the one of the backup change places in one step; what was live goes aside. */
function replace(path: ByteString, seen: FilePrint, places: Places & { readonly aside: HeldTree }): void {
  const { work, live, aside } = places;
  const copy = work.look(path);
  if (copy === undefined) return;
  makeParents(aside, parentOf(path));
  // An attempt before this one may have come so far.
  if (String(copy.ino) !== seen.inode && !exchangeSeen(live, work, path, seen)) return;
  try {
    renameSync(work.at(path), aside.at(path));
  } catch (error) {
    // What can't be kept would go with the copies.
    exchangeNames(work.at(path), live.at(path));
    throw failureOf(error, `keep ${displayName(path)} aside`);
  }
}

function makeParents(tree: HeldTree, path: ByteString): void {
  if (path === '' || tree.look(path) !== undefined) return;
  makeParents(tree, parentOf(path));
  mkdirSync(tree.at(path), 0o700);
}

/**
 * Before the copies of a run go: what one that ended half-way has done is noted, so that it can be taken back and what it
 * replaced stays known. True when a run has done anything. Repeatable.
 */
export async function settleRun(context: KindContext, id: string): Promise<boolean> {
  const files = await missingFiles(context.stateDirectory, id);
  const record = await readRecord(files);
  if (record?.applied !== undefined) return didAnything(record.applied);
  if (record?.brought !== true || !isThere(record.work)) return false;
  const work = new HeldTree(byteString(record.work));
  const live = new HeldTree(byteString(record.base));
  const aside = isThere(record.aside) ? new HeldTree(byteString(record.aside)) : undefined;
  try {
    if (aside !== undefined) await keepExchanged(files, work, aside);
    const applied = await conclude(files, { work, live, aside }, new Map());
    if (!didAnything(applied)) return false;
    await writeRecord(files, { ...record, applied, appliedAtMs: Date.now() });
    return true;
  } finally {
    for (const tree of [work, live, aside]) tree?.forget();
  }
}

function didAnything({ done, replaced }: Applied): boolean {
  return replaced + done.files + done.directories + done.links > 0;
}

/** What was live may have been exchanged, and not have come to where it is kept: it must not go with the copies. */
async function keepExchanged(files: MissingFiles, work: HeldTree, aside: HeldTree): Promise<void> {
  for await (const line of linesOf<ListLine>(files.list)) {
    if (line.what !== 'differs' || line.live === undefined) continue;
    const path = pathOf(line);
    const copy = work.look(path);
    if (copy === undefined || String(copy.ino) !== line.live.inode) continue;
    makeParents(aside, parentOf(path));
    renameSync(work.at(path), aside.at(path));
  }
}

/** What became of each, told from what lies where: so a repeat tells the same. */
async function conclude(
  files: MissingFiles,
  places: Places,
  failures: ReadonlyMap<ByteString, string>,
): Promise<Applied> {
  const done = new Tally();
  const counts = { replaced: 0, left: 0, failed: 0 };
  let firstFailure: string | undefined;
  const lines = async function* (): AsyncGenerator<string> {
    for await (const line of linesOf<ListLine>(files.list)) {
      if (line.what === 'differs' && places.aside === undefined) continue;
      const one = became(line, places, failures);
      if (one.became === 'put back') done.add(one.kind, one.bytes);
      else if (one.became === 'replaced') counts.replaced += 1;
      else counts[one.became] += 1;
      firstFailure ??= one.became === 'failed' ? one.why : undefined;
      yield `${JSON.stringify(one)}\n`;
    }
  };
  await writeLineFile(files.done, lines());
  return { done: done.counts(), ...counts, ...(firstFailure === undefined ? {} : { firstFailure }) };
}

function became(line: ListLine, places: Places, failures: ReadonlyMap<ByteString, string>): DoneLine {
  const path = pathOf(line);
  const facts = { ...listedName(path), kind: line.kind, bytes: line.bytes };
  const why = failures.get(path);
  if (why !== undefined) return { ...facts, became: 'failed', why };
  const now = places.live.look(path);
  if (line.what === 'differs') {
    const kept = places.aside?.look(path);
    if (kept === undefined || now === undefined) return { ...facts, became: 'left', why: 'it has changed' };
    return { ...facts, became: 'replaced', print: printOf(now) };
  }
  if (places.work.look(path) !== undefined) return { ...facts, became: 'left', why: 'something has that name now' };
  if (now === undefined) return { ...facts, became: 'left', why: 'it was removed again' };
  return { ...facts, became: 'put back', print: printOf(now) };
}

/** What was kept aside and is due goes, after `told`. Returns what was removed, if anything. */
export async function clearAsideOf(
  context: KindContext,
  component: string,
  id: string,
  dueMs: number,
  told: (aside: string) => Promise<void>,
): Promise<string | undefined> {
  const files = await missingFiles(context.stateDirectory, id);
  const record = await readRecord(files);
  if (record?.appliedAtMs === undefined || record.component !== component) return undefined;
  if (record.appliedAtMs > dueMs || !isThere(record.aside)) return undefined;
  await told(record.aside);
  rmSync(record.aside, { recursive: true, force: true });
  return record.aside;
}

function isThere(path: string): boolean {
  try {
    lstatSync(pathArgument(byteString(path)));
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw failureOf(error, `look at ${path}`);
  }
}
