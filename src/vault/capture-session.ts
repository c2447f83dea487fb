/** One component's capture: artifacts in, chunks and list trees out. What an earlier capture stored is found, not redone. */
import type { Artifact, ChunkedSegment, ChunkRecipe, RecipeSegment, StreamSegment } from '../part.ts';
import { SlabStream, type SealPool, type Taken } from '../seal/index.ts';
import { AddedChunks } from './verify/added-chunks.ts';
import { Cutter } from './cut.ts';
import { IdSet } from './id-set.ts';
import { ListTreeBuilder, type TreeRoot } from './list-tree.ts';
import type { ObjectWriter, StoredChunk, WriteTally } from './object-writer.ts';
import type { ChunkRef, ReuseCache } from './reuse-cache.ts';
import type { ArtifactRef, CaptureProgress, CaptureSession, StoreCounts } from './types.ts';

/** Chunks and their bytes between the first that is not stored yet and the newest: bounds what a slow put holds. */
const WINDOW_CHUNKS = 24;
const WINDOW_BYTES = 24 * 1024 * 1024;
const CHANGED_SHOWN = 20;
const CHANGED_PATH_CHARACTERS = 200;

export interface SessionDependencies {
  readonly writer: ObjectWriter;
  readonly pool: () => SealPool;
  /** Resolves when the threads can take more. */
  readonly ready: () => Promise<void>;
  readonly gear: Int32Array;
  readonly reuse: ReuseCache;
  readonly signal: AbortSignal;
  /** What is stored counts as unread until `wasReadBack`. */
  readonly readBack: boolean;
  readonly onProgress: ((progress: CaptureProgress) => void) | undefined;
  /** Makes what was put durable and remembers it. */
  readonly settle: () => Promise<void>;
  readonly onClose: () => void;
}

interface Tally extends WriteTally {
  readBytes: number;
  doneBytes: number;
  filesSeen: number;
  readonly changed: string[];
  changedCount: number;
}

interface Progress {
  bytesDone: number;
  filesDone: number;
  chunksNew: number;
  storedBytes: number;
}

export class Session implements CaptureSession {
  private readonly the: SessionDependencies;
  private readonly before: Progress = { bytesDone: 0, filesDone: 0, chunksNew: 0, storedBytes: 0 };
  /** Chunks of it that nobody had read back. */
  private readonly unread = new IdSet();
  private complete = true;
  private finished = false;
  private closed = false;

  constructor(dependencies: SessionDependencies) {
    this.the = dependencies;
  }

  async store(artifact: Artifact): Promise<{ ref: ArtifactRef; counts: StoreCounts; added: AddedChunks }> {
    const run = new ArtifactRun(this.the, this.before, this.unread);
    this.complete = false;
    const { lengthBytes, ...tree } = await run.store(artifact);
    this.complete = true;
    const { name, mediaType } = artifact;
    const ref = { name, mediaType, lengthBytes, ...tree };
    const { doneBytes, ...counts } = run.tally;
    this.before.bytesDone += doneBytes;
    this.before.filesDone += counts.filesSeen;
    this.before.chunksNew += counts.chunksNew;
    this.before.storedBytes += counts.storedBytes;
    return { ref, counts, added: run.added };
  }

  async finish(): Promise<void> {
    await this.the.settle();
    await this.the.reuse.save(this.complete);
    this.finished = true;
  }

  wasReadBack(): void {
    this.the.writer.unread.remove(this.unread);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    try {
      if (!this.finished) await this.the.reuse.save(false);
    } finally {
      this.the.onClose();
    }
  }
}

/** A segment that is being read. */
interface Reading {
  readonly refs: ChunkRef[];
  changed: number;
}

/** What becomes of the artifact, in order: chunks on their way, chunks that are there, and the end of a segment. */
type Step =
  | { readonly kind: 'chunk'; readonly chunk: Promise<StoredChunk>; readonly bytes: number; readonly reading: Reading }
  | { readonly kind: 'reused'; readonly refs: readonly ChunkRef[] }
  | { readonly kind: 'end'; readonly fingerprint: string; readonly reading: Reading };

/** One artifact on its way. Chunks are sealed and put side by side, and listed in order. */
class ArtifactRun {
  readonly tally: Tally = {
    chunksNew: 0,
    chunksReused: 0,
    storedBytes: 0,
    readBytes: 0,
    doneBytes: 0,
    filesSeen: 0,
    changed: [],
    changedCount: 0,
  };
  readonly added = new AddedChunks();
  private readonly the: SessionDependencies;
  private readonly before: Progress;
  private readonly unread: IdSet;
  private readonly tree: ListTreeBuilder;
  private readonly steps: Step[] = [];
  private chunksUnderWay = 0;
  private bytesUnderWay = 0;

  constructor(dependencies: SessionDependencies, before: Progress, unread: IdSet) {
    this.the = dependencies;
    this.before = before;
    this.unread = unread;
    const { writer, signal } = dependencies;
    this.tree = new ListTreeBuilder({
      list: (bytes) => writer.list(bytes, this.tally, signal),
      sums: (id, bytes) => writer.sums(id, bytes, this.tally, signal),
      stored: (room, id) => writer.known.stored(room, id),
    });
  }

  async store(artifact: Artifact): Promise<TreeRoot> {
    try {
      for await (const segment of artifact.segments()) {
        this.the.signal.throwIfAborted();
        if (segment.kind === 'stream') await this.storeStream(segment);
        else if (segment.kind === 'chunked') await this.storeChunked(segment);
        else await this.storeRecipes(segment);
        this.report();
      }
      await this.drain(() => false);
      return await this.tree.finish();
    } catch (error) {
      // Nothing of this artifact goes on behind the caller's back.
      await Promise.allSettled(this.steps.flatMap((step) => (step.kind === 'chunk' ? [step.chunk] : [])));
      throw error;
    }
  }

  private async storeRecipes(segment: RecipeSegment): Promise<void> {
    this.tally.filesSeen += segment.files;
    const { fingerprint } = segment;
    const known = fingerprint === undefined ? undefined : this.reusable(fingerprint);
    if (fingerprint !== undefined && known !== undefined) {
      this.tally.chunksReused += known.length;
      this.tally.doneBytes += segment.lengthBytes;
      this.the.reuse.remember(fingerprint, known);
      await this.enqueue({ kind: 'reused', refs: known });
      return;
    }
    const reading: Reading = { refs: [], changed: 0 };
    for await (const recipe of segment.recipes()) await this.submit(recipe, reading);
    if (fingerprint !== undefined && segment.settled) await this.enqueue({ kind: 'end', fingerprint, reading });
  }

  /** What an equal segment gave before, when all of it is known to be stored still. */
  private reusable(fingerprint: string): ChunkRef[] | undefined {
    const refs = this.the.reuse.find(fingerprint);
    return refs?.every(({ id }) => this.the.writer.known.has('chunks', id)) === true ? refs : undefined;
  }

  private async storeStream(segment: StreamSegment): Promise<void> {
    const cutter = new Cutter(segment.cut === 'content' ? this.the.gear : undefined);
    const reading: Reading = { refs: [], changed: 0 };
    const stream = new SlabStream(1);
    const reader = stream.reader();
    for await (const buffer of segment.open(this.the.signal)) {
      for (const view of stream.write(buffer)) {
        for (const length of cutter.push(view)) await this.submit(recipeOf(reader.take(length), length), reading);
      }
    }
    for (const length of cutter.finish()) await this.submit(recipeOf(reader.take(length), length), reading);
  }

  private async storeChunked(segment: ChunkedSegment): Promise<void> {
    const reading: Reading = { refs: [], changed: 0 };
    for await (const recipe of segment.open(this.the.signal)) await this.submit(recipe, reading);
  }

  private async submit(recipe: ChunkRecipe, reading: Reading): Promise<void> {
    this.the.signal.throwIfAborted();
    const { writer, pool, readBack } = this.the;
    const chunk = writer.chunk(pool, recipe, this.tally, this.the.signal, readBack);
    // Its failure is heard when its turn comes.
    chunk.catch(() => undefined);
    this.chunksUnderWay += 1;
    this.bytesUnderWay += recipe.lengthBytes;
    await this.enqueue({ kind: 'chunk', chunk, bytes: recipe.lengthBytes, reading });
    await this.the.ready();
  }

  private async enqueue(step: Step): Promise<void> {
    this.steps.push(step);
    await this.drain(() => this.chunksUnderWay <= WINDOW_CHUNKS && this.bytesUnderWay <= WINDOW_BYTES);
  }

  /** Lists what is stored, in order, until what is under way is little enough. */
  private async drain(enough: () => boolean): Promise<void> {
    for (let step = this.steps[0]; step !== undefined; step = this.steps[0]) {
      // Only a chunk has to be waited for.
      if (step.kind === 'chunk' && enough()) return;
      await this.take(step);
      this.steps.shift();
    }
  }

  private async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'chunk': {
        const chunk = await step.chunk;
        this.chunksUnderWay -= 1;
        this.bytesUnderWay -= step.bytes;
        this.noteRead(chunk);
        step.reading.changed += chunk.changed.length;
        const ref = { id: chunk.id, lengthBytes: chunk.lengthBytes };
        step.reading.refs.push(ref);
        await this.list(ref, chunk.added);
        return;
      }
      case 'reused':
        for (const ref of step.refs) await this.list(ref, false);
        return;
      case 'end':
        // A file that changed while it was read was not what its fingerprint says.
        if (step.reading.changed === 0) this.the.reuse.remember(step.fingerprint, step.reading.refs);
    }
  }

  private async list(ref: ChunkRef, isNew: boolean): Promise<void> {
    const { writer, readBack } = this.the;
    const isUnread = readBack && writer.unread.has(ref.id);
    // Once is enough, however often it is in what is captured.
    this.added.note(ref.id, isUnread ? this.unread.addHex(ref.id) : isNew);
    await this.tree.add(ref);
  }

  private noteRead(chunk: StoredChunk): void {
    this.tally.readBytes += chunk.lengthBytes;
    this.tally.doneBytes += chunk.lengthBytes;
    this.tally.changedCount += chunk.changed.length;
    for (const path of chunk.changed) {
      if (this.tally.changed.length < CHANGED_SHOWN) this.tally.changed.push(path.slice(0, CHANGED_PATH_CHARACTERS));
    }
    this.report();
  }

  private report(): void {
    this.the.onProgress?.({
      bytesDone: this.before.bytesDone + this.tally.doneBytes,
      filesDone: this.before.filesDone + this.tally.filesSeen,
      chunksNew: this.before.chunksNew + this.tally.chunksNew,
      storedBytes: this.before.storedBytes + this.tally.storedBytes,
    });
  }
}

function recipeOf({ pieces, done }: Taken, lengthBytes: number): ChunkRecipe {
  return { pieces: pieces.map((bytes) => ({ kind: 'bytes', bytes })), lengthBytes, done };
}
