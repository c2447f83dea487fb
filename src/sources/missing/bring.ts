/** Finds what a live tree lacks of a backup, and unpacks just that beside the tree. Nothing live is touched. */
import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import type { ArtifactReader } from '../../part.ts';
import type { Component } from '../../system/types.ts';
import { byteString, bytesOf, type ByteString } from '../byte-string.ts';
import { extractTar } from '../extract/extract.ts';
import { parentOf } from '../extract/safe-paths.ts';
import { failureOf } from '../io-errors.ts';
import type { KindContext } from '../kinds/component.ts';
import { parentFor } from '../kinds/files.ts';
import { normalPaths } from '../kinds/files-paths.ts';
import { artifactNamed, TREE } from '../kinds/volume-facts.ts';
import { dataDirectory, liveVolume } from '../kinds/volume-place.ts';
import { writeLineFile } from '../rows/line-file.ts';
import { resolved } from '../tree/live.ts';
import { settleRun } from './put-back.ts';
import { differencesOf, type Compared, type Difference } from './compare.ts';
import {
  listedName,
  missingFiles,
  readRecord,
  Tally,
  writeRecord,
  type FilePrint,
  type ListLine,
  type MissingFiles,
  type MissingRecord,
  type Preview,
} from './files.ts';

export interface MissingAsk {
  /** Names everything made for it, so that a repeat finds it. */
  readonly id: string;
  readonly paths: readonly string[];
  readonly changed: boolean;
  /** False: only the comparison. */
  readonly bring: boolean;
}

export interface MissingBackup {
  readonly manifestKey: string;
  artifacts(): Promise<readonly ArtifactReader[]>;
}

/** Where the component's tree lies. Throws BadInput for kinds that are no trees, VolumeMissing. */
export async function treeOf(component: Component, context: KindContext): Promise<string> {
  if (component.kind === 'files') return resolved(component.path);
  if (component.kind === 'volume') return dataDirectory(await liveVolume(context.docker(), component.volume));
  throw new HoldfastError('BadInput', `${component.name} is of kind ${component.kind}: it is no tree of files`, {
    hint: 'Name a component of kind files or volume; single rows of a database come back with `holdfast rows`.',
  });
}

export interface Brought extends Preview {
  readonly place: string;
  readonly listFile: string;
  readonly paths: readonly string[];
}

/**
 * What is there already, whole and of the same backup, is kept, so that a repeat shows the same preview. What an earlier
 * attempt left half-made is replaced.
 */
export async function bringMissing(
  component: Component,
  backup: MissingBackup,
  ask: MissingAsk,
  context: KindContext,
): Promise<Brought> {
  const files = await missingFiles(context.stateDirectory, ask.id);
  const place = await treeOf(component, context);
  const paths = normalPaths(ask.paths);
  const shown = { place, listFile: files.list, paths };
  const known = await readRecord(files);
  if (
    known?.preview !== undefined &&
    known.manifestKey === backup.manifestKey &&
    (known.brought ?? false) === ask.bring
  ) {
    return { ...known.preview, ...shown };
  }
  if (known !== undefined) await rm(known.work, { recursive: true, force: true });
  const artifact = artifactNamed(await backup.artifacts(), TREE);
  const parent = await parentFor(place);
  const name = `${ask.id}-${component.name}`;
  const record: MissingRecord = {
    format: 1,
    component: component.name,
    manifestKey: backup.manifestKey,
    base: place,
    work: join(parent, `.holdfast-missing-${name}`),
    aside: join(parent, `.holdfast-aside-missing-${name}`),
  };
  await writeRecord(files, record);
  const looked = await compare(artifact, { place, paths, thorough: ask.changed }, files, context);
  const preview: Preview = {
    ...looked.preview,
    warnings: looked.devices === 0 ? [] : [`${looked.devices} device nodes are never put back`],
  };
  const wanted = ask.changed ? [...looked.missing, ...looked.differing] : looked.missing;
  if (ask.bring && wanted.length > 0) await unpack(artifact, record.work, wanted, context);
  const rootIsGone = looked.rootIsGone ? { rootIsGone: true } : {};
  const brought = ask.bring ? { brought: true } : {};
  await writeRecord(files, { ...record, base: looked.base, preview, ...rootIsGone, ...brought });
  return { ...preview, ...shown };
}

interface Looked {
  readonly rootIsGone: boolean;
  readonly base: string;
  readonly preview: Omit<Preview, 'warnings'>;
  readonly devices: number;
  /** The outermost names that are missing. */
  readonly missing: readonly ByteString[];
  readonly differing: readonly ByteString[];
}

async function compare(
  artifact: ArtifactReader,
  { place, paths, thorough }: { place: string; paths: readonly string[]; thorough: boolean },
  files: MissingFiles,
  context: KindContext,
): Promise<Looked> {
  const compared: Compared = { base: byteString(place), same: 0, inTheWay: 0, devices: 0 };
  const missing = new Tally();
  const differ = { files: 0, bytes: 0 };
  const outermost = new Set<ByteString>();
  const differing: ByteString[] = [];
  let rootIsGone = false;
  const hash = createHash('sha256');
  const options = {
    root: byteString(place),
    paths: paths.map((path) => byteString(path)),
    thorough,
    signal: context.signal,
    onProgress: (bytesDone: number) =>
      context.report({ phase: 'compare', bytesDone, bytesTotal: artifact.lengthBytes }),
  };
  const lines = async function* (): AsyncGenerator<string> {
    for await (const one of differencesOf(artifact, options, compared)) {
      if (one.what === 'missing') {
        missing.add(one.kind, one.bytes);
        rootIsGone ||= one.path === '';
        if (one.selected && !liesBelow(one.path, outermost)) outermost.add(one.path);
      } else {
        differ.files += 1;
        differ.bytes += one.bytes;
        differing.push(one.path);
      }
      if (one.what === 'missing' || thorough) hash.update(`${one.what}\0${one.path}\0${one.bytes}\0${one.mtimeNs}\n`);
      yield `${JSON.stringify(lineOf(one))}\n`;
    }
  };
  await writeLineFile(files.list, lines());
  return {
    base: bytesOf(compared.base).toString(),
    preview: {
      affectedSha256: hash.digest('hex'),
      missing: missing.counts(),
      differ,
      same: compared.same,
      inTheWay: compared.inTheWay,
    },
    rootIsGone,
    devices: compared.devices,
    missing: [...outermost],
    differing,
  };
}

function liesBelow(path: ByteString, directories: ReadonlySet<ByteString>): boolean {
  if (directories.size === 0) return false;
  for (let above = parentOf(path); above !== ''; above = parentOf(above)) if (directories.has(above)) return true;
  return path !== '' && directories.has('');
}

function lineOf({ path, what, kind, bytes, live }: Difference): ListLine {
  const print: FilePrint | undefined =
    live === undefined
      ? undefined
      : {
          inode: String(live.ino),
          sizeBytes: Number(live.size),
          mtimeNs: String(live.mtimeNs),
          ctimeNs: String(live.ctimeNs),
        };
  return { ...listedName(path), what, kind, bytes, ...(print === undefined ? {} : { live: print }) };
}

async function unpack(
  artifact: ArtifactReader,
  work: string,
  wanted: readonly ByteString[],
  context: KindContext,
): Promise<void> {
  try {
    await rm(work, { recursive: true, force: true });
    await mkdir(dirname(work), { recursive: true });
    await mkdir(work, { mode: 0o700 });
  } catch (error) {
    throw failureOf(error, `make ${basename(work)} in ${dirname(work)}`);
  }
  // The whole tree is gone: all of it is wanted, and its own directory too.
  const paths = wanted.includes('') ? [] : wanted.map((path) => bytesOf(path));
  await extractTar(() => artifact.read({ signal: context.signal }), work, {
    signal: context.signal,
    paths,
    devices: 'skip',
    onProgress: (progress) => context.report({ phase: 'unpack', bytesTotal: artifact.lengthBytes, ...progress }),
  });
}

/** Removes what lies beside the tree. The lists stay with `keepFiles`, and after a run that has done anything. */
export async function discardMissing(context: KindContext, id: string, keepFiles: boolean): Promise<void> {
  const files = await missingFiles(context.stateDirectory, id);
  const hasDone = await settleRun(context, id);
  const record = await readRecord(files);
  if (record !== undefined) await rm(record.work, { recursive: true, force: true });
  if (!keepFiles && !hasDone) await rm(files.directory, { recursive: true, force: true });
}
