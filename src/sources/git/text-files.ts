/** Text files of components that may be committed: chosen by pattern, small, and without anything that looks like a secret. */
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { secretIn } from '../../policy/secret-like.ts';
import type { GitConfig } from '../../system/git-schema.ts';
import type { FilesComponent } from '../../system/types.ts';
import { byteString, displayName, isAscii, pathArgument } from '../byte-string.ts';
import type { WatchedComponent } from '../changes.ts';
import { isMissing } from '../io-errors.ts';
import { projectFiles } from '../kinds/compose-files.ts';
import { matcherOf, type PathMatcher } from '../tree/globs.ts';
import { liveEntries, type LiveEntry } from '../tree/live.ts';

export interface TextFile {
  /** In the repository: the component, and the path in it. */
  readonly path: string;
  readonly executable: boolean;
  readonly text: string;
}

export interface Gathered {
  readonly files: readonly TextFile[];
  readonly leftOut: readonly { readonly path: string; readonly why: string }[];
}

const MOST_FILE_BYTES = 1024 * 1024;
const MOST_BYTES = 64 * 1024 * 1024;

/** Throws PermissionDenied, SourceMissing. */
export async function textFilesOf(
  components: readonly WatchedComponent[],
  config: Pick<GitConfig, 'include' | 'exclude'>,
  signal: AbortSignal,
): Promise<Gathered> {
  const gathering = new Gathering(config);
  for (const component of components) {
    if (component.kind === 'files') {
      await gathering.tree(component, signal);
    } else {
      const { files } = await projectFiles(component.directory, component.files);
      for (const file of files) await gathering.file(component.name, component.directory, file);
    }
  }
  return gathering.result();
}

class Gathering {
  private readonly files: TextFile[] = [];
  private readonly leftOut: { path: string; why: string }[] = [];
  private readonly included: PathMatcher;
  private readonly excluded: PathMatcher;
  private bytes = 0;

  constructor({ include, exclude }: Pick<GitConfig, 'include' | 'exclude'>) {
    this.included = matcherOf(include);
    this.excluded = matcherOf(exclude);
  }

  async tree(component: FilesComponent, signal: AbortSignal): Promise<void> {
    for await (const found of liveEntries(component, signal)) {
      if (found.entry.type === 'file') await this.entry(component.name, found);
    }
  }

  /** One file of a Compose project, by its path in it. */
  async file(component: string, directory: string, file: string): Promise<void> {
    if (!this.included(file) || this.excluded(file)) return;
    await this.take(`${component}/${file}`, path.join(directory, file), false);
  }

  result(): Gathered {
    return { files: this.files, leftOut: this.leftOut };
  }

  private async entry(component: string, { entry, absolute }: LiveEntry): Promise<void> {
    const shown = displayName(entry.path);
    if (!this.included(shown) || this.excluded(shown)) return;
    const name = `${component}/${shown}`;
    const plain = isAscii(entry.path) || byteString(shown) === entry.path;
    if (!plain || /[\n\r"\\]/.test(shown)) this.leave(name, 'git would not show its name as it is');
    else if (entry.sizeBytes > MOST_FILE_BYTES) this.leave(name, 'larger than 1 MiB');
    else await this.take(name, pathArgument(absolute), (entry.mode & 0o100) !== 0);
  }

  private async take(name: string, place: string | Buffer, executable: boolean): Promise<void> {
    if (/(^|\/)\.git(\/|$)/i.test(name)) {
      this.leave(name, 'git holds nothing of this name');
      return;
    }
    let bytes;
    try {
      // One byte more than is taken tells that there are more; it may have grown, and a Compose file's size is not known.
      bytes = await buffer(createReadStream(place, { end: MOST_FILE_BYTES }));
    } catch (error) {
      if (!isMissing(error)) throw error;
      this.leave(name, 'it went while it was read');
      return;
    }
    if (bytes.length > MOST_FILE_BYTES || this.bytes + bytes.length > MOST_BYTES) {
      this.leave(name, 'larger than what is committed');
      return;
    }
    const text = bytes.toString('utf8');
    const why = bytes.includes(0) || !Buffer.from(text).equals(bytes) ? 'no text' : secretIn(name, text);
    if (why !== undefined) {
      this.leave(name, why);
      return;
    }
    this.bytes += bytes.length;
    this.files.push({ path: name, executable, text });
  }

  private leave(where: string, why: string): void {
    this.leftOut.push({ path: where, why });
  }
}
