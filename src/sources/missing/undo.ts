/** Takes back what was put back: exactly those files that are as they were put there. What was changed since stays. */
import { createHash } from 'node:crypto';
import { rmdirSync, unlinkSync } from 'node:fs';
import { HoldfastError } from '../../failures.ts';
import { byteString, type ByteString } from '../byte-string.ts';
import { errorCode, failureOf, isMissing } from '../io-errors.ts';
import type { KindContext } from '../kinds/component.ts';
import { writeLineFile } from '../rows/line-file.ts';
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
  type MissingFiles,
  type MissingRecord,
  type UndoLine,
} from './files.ts';
import { exchangeSeen, HeldTree, isPrintOf, lasting } from './held-tree.ts';
import type { MissingCounts } from '../../workflows/missing-contract.ts';

export interface UndoPreview {
  readonly manifestKey: string;
  readonly place: string;
  readonly affectedSha256: string;
  readonly remove: MissingCounts;
  readonly return: { readonly files: number; readonly bytes: number };
  readonly changedSince: number;
  readonly listFile: string;
}

/** Throws BadInput when this host knows no such run of the component, or one that put nothing back. */
export async function previewUndo(component: string, id: string, context: KindContext): Promise<UndoPreview> {
  const { files, record } = await knownRun(component, id, context);
  const live = new HeldTree(byteString(record.base));
  const aside = new HeldTree(byteString(record.aside));
  const remove = new Tally();
  const back = { files: 0, bytes: 0 };
  let changedSince = 0;
  const hash = createHash('sha256');
  const lines = async function* (): AsyncGenerator<string> {
    for await (const one of linesOf<DoneLine>(files.done)) {
      context.signal.throwIfAborted();
      const line = judge(one, live, aside);
      if (line === undefined) continue;
      if (line.what === 'remove') remove.add(line.kind, line.bytes);
      else if (line.what === 'changed since') changedSince += 1;
      else {
        back.files += 1;
        back.bytes += line.bytes;
      }
      hash.update(`${line.what}\0${pathOf(line)}\n`);
      yield `${JSON.stringify(line)}\n`;
    }
  };
  try {
    await writeLineFile(files.undo, lines());
  } finally {
    live.forget();
    aside.forget();
  }
  return {
    manifestKey: record.manifestKey,
    place: record.base,
    affectedSha256: hash.digest('hex'),
    remove: remove.counts(),
    return: back,
    changedSince,
    listFile: files.undo,
  };
}

async function knownRun(
  component: string,
  id: string,
  context: KindContext,
): Promise<{ files: MissingFiles; record: MissingRecord }> {
  const files = await missingFiles(context.stateDirectory, id);
  const record = await readRecord(files);
  if (record?.applied === undefined || record.component !== component) {
    throw new HoldfastError('BadInput', `this host knows of nothing that run ${id} put back into ${component}`, {
      hint: 'The run is named in the result of what put the files back, and in its report.',
    });
  }
  return { files, record };
}

/** Undefined for what was not done, and for what is gone by now. */
function judge(one: DoneLine, live: HeldTree, aside: HeldTree): UndoLine | undefined {
  if (one.print === undefined || (one.became !== 'put back' && one.became !== 'replaced')) return undefined;
  const path = pathOf(one);
  const now = live.look(path);
  if (now === undefined) return undefined;
  const facts = { ...listedName(path), kind: one.kind, bytes: one.bytes, print: one.print };
  // A directory changes with what is in it: it goes when it is empty in the end.
  const same = one.kind === 'directory' ? String(now.ino) === one.print.inode : isPrintOf(one.print, now);
  if (!same) return { ...facts, what: 'changed since' };
  if (one.became === 'put back') return { ...facts, what: 'remove' };
  return aside.look(path) === undefined ? undefined : { ...facts, what: 'return' };
}

/** What an earlier attempt has taken back counts as taken back. */
export async function undoMissing(
  component: string,
  id: string,
  context: KindContext,
): Promise<Applied & { readonly doneFile: string }> {
  const { files, record } = await knownRun(component, id, context);
  const live = new HeldTree(byteString(record.base));
  const aside = new HeldTree(byteString(record.aside));
  const done = new Tally();
  const counts = { replaced: 0, left: 0, failed: 0 };
  let firstFailure: string | undefined;
  const directories: UndoLine[] = [];
  const settle = (line: UndoLine, act: (path: ByteString) => boolean): void => {
    try {
      if (!act(pathOf(line))) counts.left += 1;
      else if (line.what === 'return') counts.replaced += 1;
      else done.add(line.kind, line.bytes);
    } catch (error) {
      counts.failed += 1;
      firstFailure ??= failureOf(error, `take back ${line.path}`).message;
    }
  };
  try {
    for await (const line of linesOf<UndoLine>(files.undo)) {
      context.signal.throwIfAborted();
      if (line.what === 'changed since') counts.left += 1;
      else if (line.kind === 'directory') directories.push(line);
      else if (line.what === 'remove') settle(line, (path) => removed(live, path, line.print));
      else settle(line, (path) => returned(live, aside, path, line.print));
    }
    for (const line of directories.toReversed()) settle(line, (path) => removedDirectory(live, path));
    if (live.look('') !== undefined) live.sync();
  } finally {
    live.forget();
    aside.forget();
  }
  const applied = { done: done.counts(), ...counts, ...(firstFailure === undefined ? {} : { firstFailure }) };
  await writeRecord(files, { ...record, undone: applied });
  return { ...applied, doneFile: files.undo };
}

function removed(live: HeldTree, path: ByteString, print: FilePrint | undefined): boolean {
  const now = live.look(path);
  if (now === undefined) return true;
  if (print === undefined || !isPrintOf(print, now)) return false;
  unlinkSync(live.at(path));
  return true;
}

/** What was live before changes places with what was put there, which then goes. */
function returned(live: HeldTree, aside: HeldTree, path: ByteString, print: FilePrint | undefined): boolean {
  const kept = aside.look(path);
  if (print === undefined || kept === undefined) return false;
  // An attempt before this one may have come so far.
  if (!isPrintOf(lasting(print), kept) && !exchangeSeen(live, aside, path, print)) return false;
  unlinkSync(aside.at(path));
  return true;
}

function removedDirectory(live: HeldTree, path: ByteString): boolean {
  try {
    rmdirSync(live.at(path));
    return true;
  } catch (error) {
    if (isMissing(error)) return true;
    if (errorCode(error) === 'ENOTEMPTY' || errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}
