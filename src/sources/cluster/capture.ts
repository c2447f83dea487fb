/**
 * pg_basebackup, streamed: its tar goes into the vault as it comes, cut so that the next one stores what changed. The log
 * that makes it consistent is fetched into it (`-X fetch`), so that every backup can be restored by itself.
 */
import { HoldfastError } from '../../failures.ts';
import type { Artifact, ChunkRecipe } from '../../part.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import { ClusterCutter } from './cut.ts';
import type { TarFile } from './cut.ts';
import { BASE } from './facts.ts';
import type { BackupLabel, BackupManifest } from './label.ts';
import { parseBackupLabel, parseBackupManifest } from './label.ts';

export interface BaseArtifact extends Artifact {
  /** What the stream said of itself; throws when it was not read to its end. */
  report(): BaseReport;
}

export interface BaseReport {
  readonly label: BackupLabel;
  readonly manifest: BackupManifest;
  readonly files: number;
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
const LABEL = 'backup_label';
const MANIFEST = 'backup_manifest';
/** About 150 bytes a file: room for a million files. */
const KEPT_LIMIT_BYTES = 256 * 1024 * 1024;

/**
 * The artifact `base.tar`. Reading it runs the tool; a tool that fails, or writes less than a whole tar, fails the
 * reading. When the reader leaves or the signal aborts the tool is ended, and with it the server's walsender.
 */
export function baseArtifact(access: PostgresAccess): BaseArtifact {
  const gathered = new Gathering();
  return {
    name: BASE,
    mediaType: 'application/x-tar',
    report: () => gathered.report(),
    async *segments() {
      await Promise.resolve();
      yield { kind: 'chunked', open: (signal) => readBase(access, gathered, signal) };
    },
  };
}

async function* readBase(
  access: PostgresAccess,
  gathered: Gathering,
  signal: AbortSignal,
): AsyncGenerator<ChunkRecipe> {
  gathered.begin();
  const { stdout, done } = await access.run('pg_basebackup', ARGUMENTS, { signal });
  // Heard below; a failure before that is told by what follows from it.
  done.catch(() => undefined);
  const cutter = new ClusterCutter(gathered);
  try {
    for await (const bytes of stdout) yield* cutter.push(bytes);
    await done;
    yield* cutter.finish();
  } catch (error) {
    signal.throwIfAborted();
    // A tool that died left a torn tar: why it died is the better answer.
    const died = error instanceof HoldfastError && error.code === 'ArchiveBroken' ? await failureOf(done) : undefined;
    throw asCause(died ?? error);
  }
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

/** Keeps the two small files that say what the backup is. */
class Gathering {
  private label: Uint8Array[] = [];
  private manifest: Uint8Array[] = [];
  private into: Uint8Array[] | undefined;
  private files = 0;

  /** A repeated reading begins anew. */
  begin(): void {
    this.label = [];
    this.manifest = [];
    this.into = undefined;
    this.files = 0;
  }

  file({ path, sizeBytes }: TarFile): boolean {
    this.files += 1;
    this.into = path === LABEL ? this.label : path === MANIFEST ? this.manifest : undefined;
    if (this.into !== undefined && sizeBytes > KEPT_LIMIT_BYTES) {
      throw new HoldfastError('SourceCorrupt', `${path} of the base backup has ${sizeBytes} bytes`);
    }
    return this.into !== undefined;
  }

  contents(bytes: Uint8Array): void {
    this.into?.push(Buffer.from(bytes));
  }

  report(): BaseReport {
    if (this.label.length === 0 || this.manifest.length === 0) {
      throw new HoldfastError('SourceEmpty', 'pg_basebackup wrote no backup_label or no backup_manifest');
    }
    const label = parseBackupLabel(Buffer.concat(this.label).toString());
    return { label, manifest: parseBackupManifest(Buffer.concat(this.manifest)), files: this.files };
  }
}
