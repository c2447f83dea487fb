/**
 * pg_basebackup, streamed: its tar goes into the vault as it comes, cut so that the next one stores what changed. The log
 * that makes it consistent is fetched into it (`-X fetch`), so that every backup can be restored by itself.
 */
import { HoldfastError } from '../../failures.ts';
import type { Artifact, ChunkRecipe } from '../../part.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import { freeOwn } from '../freed-memory.ts';
import type { ClusterVerdict } from './check.ts';
import { ClusterChecking } from './checking.ts';
import { ClusterCutter } from './cut.ts';
import { BASE } from './facts.ts';
import { SLAB_BYTES, SlabStream } from '../../seal/slabs.ts';

export interface BaseArtifact extends Artifact {
  /** What the stream said of itself, and how far it is true; throws when it was not read to its end. */
  verdict(): ClusterVerdict;
}

const ARGUMENTS = [
  '--pgdata=-',
  '--format=tar',
  '--wal-method=fetch',
  '--manifest-checksums=SHA256',
  '--checkpoint=fast',
  '--label=holdfast',
  '--no-password',
];

/**
 * The artifact `base.tar`. Reading it runs the tool; a tool that fails, or writes less than a whole tar, fails the
 * reading. When the reader leaves or the signal aborts the tool is ended, and with it the server's walsender. On its way
 * everything is put before the backup's own manifest.
 */
export function baseArtifact(access: PostgresAccess, segmentBytes: number): BaseArtifact {
  let verdict: ClusterVerdict | undefined;
  return {
    name: BASE,
    mediaType: 'application/x-tar',
    verdict() {
      if (verdict === undefined) throw new HoldfastError('Internal', 'the base backup was not read to its end');
      return verdict;
    },
    async *segments() {
      await Promise.resolve();
      verdict = undefined;
      yield {
        kind: 'chunked',
        async *open(signal) {
          const checking = new ClusterChecking();
          try {
            yield* readBase(access, checking, signal);
            verdict = await checking.verdict(segmentBytes);
          } finally {
            await checking.close();
          }
        },
      };
    },
  };
}

async function* readBase(
  access: PostgresAccess,
  checking: ClusterChecking,
  signal: AbortSignal,
): AsyncGenerator<ChunkRecipe> {
  const { stdout, done } = await access.run('pg_basebackup', ARGUMENTS, { signal });
  // Heard below; a failure before that is told by what follows from it.
  done.catch(() => undefined);
  try {
    yield* cutAndCheck(stdout, checking);
    await done;
  } catch (error) {
    signal.throwIfAborted();
    // A tool that died left a torn tar: why it died is the better answer.
    const died = error instanceof HoldfastError && error.code === 'ArchiveBroken' ? await failureOf(done) : undefined;
    throw asCause(died ?? error);
  }
}

/** Both read the same memory: who stores the chunks, and the check. */
async function* cutAndCheck(stdout: AsyncIterable<Uint8Array>, checking: ClusterChecking): AsyncGenerator<ChunkRecipe> {
  const stream = new SlabStream(2);
  const [toStore, toCheck] = [stream.reader(), stream.reader()];
  const cutter = new ClusterCutter();
  const recipe = (lengthBytes: number): ChunkRecipe => {
    const { pieces, done } = toStore.take(lengthBytes);
    return { pieces: pieces.map((bytes) => ({ kind: 'bytes', bytes })), lengthBytes, done };
  };
  for await (const bytes of stdout) {
    const views = stream.write(bytes);
    freeOwn(bytes);
    while (stream.lengthBytes - toCheck.position >= SLAB_BYTES) await checking.pushAll(toCheck.take(SLAB_BYTES));
    for (const view of views) for (const length of cutter.push(view)) yield recipe(length);
  }
  await checking.pushAll(toCheck.take(stream.lengthBytes - toCheck.position));
  for (const length of cutter.finish()) yield recipe(length);
}

async function failureOf(done: Promise<void>): Promise<unknown> {
  try {
    await done;
    return undefined;
  } catch (error) {
    return error;
  }
}

/** What pg_basebackup means by what it says last (src/backend/backup/basebackup.c). */
function asCause(error: unknown): Error {
  if (!(error instanceof HoldfastError)) return error instanceof Error ? error : new Error(String(error));
  const said = error.message;
  if (/checksum (verification failed|error occurred)|checksum verification failures/.test(said)) {
    return new HoldfastError('SourceCorrupt', `the server found damaged pages while it was backed up: ${said}`, {
      cause: error,
      hint: 'Look at the files named above, for example with pg_amcheck, before any later backup is trusted.',
    });
  }
  if (/could not find (any )?WAL files?|WAL segment .* has already been removed|unexpected WAL file/.test(said)) {
    return new HoldfastError('SourceChanging', `the server removed log that the backup needs while it ran: ${said}`, {
      cause: error,
      hint: 'Raise wal_keep_size on the server, or receive its log through a replication slot (`wal` of the component).',
    });
  }
  if (/can only write single tablespace/.test(said)) {
    return new HoldfastError('BadInput', `the cluster has tablespaces of its own: ${said}`, { cause: error });
  }
  return error;
}
