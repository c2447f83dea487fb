/** A tree of files, or a single file, on the host. */
import { lstat, mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ArtifactReader } from '../../part.ts';
import { HoldfastError } from '../../failures.ts';
import type { FilesComponent } from '../../system/types.ts';
import type { SwapPair } from '../directory-swap.ts';
import { extractTar } from '../extract/extract.ts';
import { readUnitsAgain } from '../../systemd/unit-places.ts';
import { failureOf, isMissing } from '../io-errors.ts';
import { exists, OWN_NAMES, Replacement } from '../replacement.ts';
import type { ReplacementRecord } from '../replacement.ts';
import { surveyTree, treeArtifact } from '../tree/artifact.ts';
import type { TreeOptions, TreeReport } from '../tree/artifact.ts';
import { resolved } from '../tree/live.ts';
import { normalPaths, pairsOfPaths } from './files-paths.ts';
import { pairsOfSelection } from './files-selection.ts';
import type { Beside, Captured, CaptureSink, CheckReport, ComponentKind, KindContext, LiveState } from './component.ts';

const ARTIFACT = 'tree.tar';

/** What was unpacked, remembered to be compared with what lies there when it is checked. */
interface Expected {
  readonly shape: 'directory' | 'file';
  /** The name of a single file. */
  readonly file: string;
  readonly paths: readonly string[];
  readonly files: number;
  readonly entries: number;
  readonly warnings: readonly string[];
  /** Length of the archive; null where the copy can't make the same one: single paths, attributes left out. */
  readonly tarBytes: number | null;
}

export const filesKind: ComponentKind<FilesComponent> = {
  kind: 'files',

  async hotPass(component, sink, context) {
    await storeTree(component, sink, context);
  },

  async capture(component, sink, context): Promise<Captured> {
    const { report, isFile } = await storeTree(component, sink, context);
    if (report.entries === 0) {
      throw new HoldfastError('SourceEmpty', `There is nothing in ${component.path} that is to be backed up`);
    }
    const facts = { shape: isFile ? 'file' : 'directory', files: report.files, entries: report.entries };
    return { facts: { ...facts, tarBytes: report.tarBytes }, warnings: [...report.warnings] };
  },

  async inspect(component, context): Promise<LiveState> {
    const live = await resolved(component.path);
    if (!(await exists(live))) return { exists: false, usedBy: [], problems: [] };
    try {
      const report = await surveyTree(live, optionsOf(component), context.signal);
      return {
        exists: true,
        sizeBytes: report.tarBytes,
        newestChangeMs: report.newestMtimeMs,
        usedBy: [],
        problems: [],
      };
    } catch (error) {
      context.signal.throwIfAborted();
      const problem = failureOf(error, `read ${live}`).message;
      return { exists: true, usedBy: [], problems: [problem] };
    }
  },

  async restoreBeside(component, artifacts, target, restoreId, context): Promise<Beside> {
    const artifact = theTree(component, artifacts);
    const replacement = replacementOf(component.name, restoreId, context);
    const paths = normalPaths(target.paths);
    const live = await resolved(component.path);
    const elsewhere = target.elsewhere ?? null;
    const parent = elsewhere === null ? await parentFor(live) : dirname(elsewhere);
    const record = await replacement.begin(live, parent, elsewhere);
    const expected = await unpack(artifact, record.work, paths, context);
    await replacement.deliver(await replacement.update({ ...record, expected }), record.work);
    const place = elsewhere ?? (expected.shape === 'file' ? join(record.work, expected.file) : record.work);
    const { files, entries, warnings } = expected;
    const facts = { files, entries, elsewhere: elsewhere !== null, warnings: warnings.join('; ') };
    return { component: component.name, restoreId, place, facts };
  },

  async checkBeside(component, beside, context): Promise<CheckReport> {
    const record = await replacementOf(component.name, beside.restoreId, context).known();
    const expected = record.expected as Expected;
    const place = record.elsewhere ?? record.work;
    const found = await surveyTree(place, {}, context.signal);
    const checks = [
      check('files', expected.files, found.files),
      check('entries', expected.entries, found.entries),
      ...(expected.tarBytes === null ? [] : [check('bytes with all attributes', expected.tarBytes, found.tarBytes)]),
    ];
    return { ok: checks.every(({ ok }) => ok), checks };
  },

  async swapIn(component, beside, context) {
    const replacement = replacementOf(component.name, beside.restoreId, context);
    const record = await replacement.known();
    if (record.elsewhere !== null) return;
    await replacement.swapIn(() => pairsOf(component, record, context.signal));
    await readUnitsAgain(component.path, context.signal);
  },

  async swapBack(component, beside, context) {
    await replacementOf(component.name, beside.restoreId, context).swapBack();
    await readUnitsAgain(component.path, context.signal);
  },

  async reopen(component, beside, context) {
    await replacementOf(component.name, beside.restoreId, context).fillAbsence();
  },

  async commit(component, beside, { keep }, context) {
    return replacementOf(component.name, beside.restoreId, context).commit(keep);
  },

  async discard(component, beside, context) {
    await replacementOf(component.name, beside.restoreId, context).discard();
  },
};

function replacementOf(component: string, restoreId: string, context: KindContext): Replacement {
  return new Replacement(context.stateDirectory, restoreId, component);
}

/** The name of the file below the place of a copy made elsewhere; undefined for a directory, and before it was made. */
export async function singleFileOf(
  { name }: Pick<FilesComponent, 'name'>,
  restoreId: string,
  stateDirectory: string,
): Promise<string | undefined> {
  const expected = (await new Replacement(stateDirectory, restoreId, name).record())?.expected as
    Expected | null | undefined;
  return expected?.shape === 'file' ? expected.file : undefined;
}

function optionsOf(component: FilesComponent): TreeOptions {
  const { include, exclude, minimumAgeSeconds } = component;
  return { name: ARTIFACT, include, exclude: [...exclude, OWN_NAMES], minimumAgeSeconds };
}

/** What there is of it, also when that is nothing. */
export async function storeTree(
  component: FilesComponent,
  sink: CaptureSink,
  context: KindContext,
): Promise<{ report: TreeReport; isFile: boolean }> {
  context.signal.throwIfAborted();
  const live = await resolved(component.path);
  const artifact = treeArtifact(live, optionsOf(component));
  await sink.store(artifact);
  const report = artifact.report();
  if (report === undefined) throw new HoldfastError('Internal', `The scan of ${live} did not come to its end`);
  return { report, isFile: (await lstat(live)).isFile() };
}

function theTree(component: FilesComponent, artifacts: readonly ArtifactReader[]): ArtifactReader {
  const found = artifacts.find(({ name }) => name === ARTIFACT);
  if (found !== undefined) return found;
  throw new HoldfastError('ArchiveBroken', `The backup of ${component.name} holds no ${ARTIFACT}`);
}

/** Where the copy lies: beside the tree; inside it, when the tree is a filesystem of its own. */
export async function parentFor(live: string): Promise<string> {
  return (await isMountPoint(live)) ? live : dirname(live);
}

async function isMountPoint(path: string): Promise<boolean> {
  try {
    const [own, above] = await Promise.all([lstat(path), lstat(dirname(path))]);
    return own.isDirectory() && own.dev !== above.dev;
  } catch (error) {
    if (isMissing(error)) return false;
    throw failureOf(error, `look at ${path}`);
  }
}

async function unpack(
  artifact: ArtifactReader,
  work: string,
  paths: readonly string[],
  context: KindContext,
): Promise<Expected> {
  const report = await extractTar(() => artifact.read({ signal: context.signal }), work, {
    signal: context.signal,
    paths,
    devices: 'skip',
    onProgress: (progress) => context.report({ phase: 'unpack', bytesTotal: artifact.lengthBytes, ...progress }),
  });
  const entries = report.files + report.directories + report.links + report.others;
  const shape = report.rootWasNamed ? 'directory' : 'file';
  const [file] = await readdir(work);
  return {
    shape,
    file: file ?? '',
    paths,
    files: report.files,
    warnings: report.warnings,
    entries: entries - (shape === 'directory' ? 1 : 0),
    tarBytes: paths.length > 0 || report.warnings.length > 0 || shape === 'file' ? null : artifact.lengthBytes,
  };
}

function check(name: string, expected: number, found: number): CheckReport['checks'][number] {
  const ok = expected === found;
  return { name, ok, detail: ok ? String(found) : `${found} instead of ${expected}` };
}

async function pairsOf(
  component: FilesComponent,
  record: ReplacementRecord,
  signal: AbortSignal,
): Promise<readonly SwapPair[]> {
  const { live, work } = record;
  const expected = record.expected as Expected;
  await mkdir(dirname(live), { recursive: true });
  if (expected.shape === 'file') return [{ live, beside: join(work, expected.file) }];
  if (expected.paths.length > 0) return pairsOfPaths(live, work, expected.paths);
  const { include, exclude } = optionsOf(component);
  const { minimumAgeSeconds } = component;
  return pairsOfSelection(live, work, { include: include ?? [], exclude: exclude ?? [], minimumAgeSeconds }, signal);
}
