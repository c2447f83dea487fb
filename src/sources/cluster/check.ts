/** A base backup as a stream, put before its own manifest: a pg_verifybackup that needs no disk. */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { HoldfastError } from '../../failures.ts';
import { parseLsn, segmentName, startOfSegment } from '../../policy/lsn.ts';
import type { TarEntry } from '../extract/tar-format.ts';
import type { TarHandler } from '../extract/tar-parser.ts';
import { TarParser } from '../extract/tar-parser.ts';
import type { BackupLabel, BackupManifest } from './label.ts';
import { parseBackupLabel, parseBackupManifest } from './label.ts';

/** What the backup says of itself, and how far it is true. Plain data: it comes from a thread. */
export interface ClusterVerdict {
  readonly files: number;
  readonly bytes: number;
  /** Undefined when the tar holds none. */
  readonly label: BackupLabel | undefined;
  /** Without its list of files; undefined when there is none that holds its own checksum. */
  readonly manifest: Omit<BackupManifest, 'files'> | undefined;
  /** Sentences, at most MOST_PROBLEMS of them; empty when all is as the manifest says. */
  readonly problems: readonly string[];
}

interface Seen {
  readonly sizeBytes: number;
  readonly sha256: string;
}

const MOST_PROBLEMS = 20;
/** About 150 bytes a file: room for a million files. */
const MANIFEST_LIMIT_BYTES = 256 * 1024 * 1024;
const MANIFEST = 'backup_manifest';
const LABEL = 'backup_label';
const LABEL_LIMIT_BYTES = 1024 * 1024;
const LOG = 'pg_wal/';

/**
 * Give it all bytes of the tar with `push`, then ask `verdict`: the set of files, their sizes and SHA-256, the manifest's
 * own checksum, and that the log it needs is there. Throws ArchiveBroken when the tar itself is torn.
 */
export class ClusterCheck {
  private readonly parser: TarParser;
  private readonly seen = new Map<string, Seen>();
  private readonly manifest: Buffer[] = [];
  private readonly label: Buffer[] = [];
  private bytes = 0;

  constructor() {
    this.parser = new TarParser(this.handler());
  }

  push(bytes: Uint8Array): void {
    this.parser.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  }

  /** Throws ArchiveBroken for half a tar, SourceCorrupt for a backup_label that can't be understood. */
  verdict(segmentBytes: number): ClusterVerdict {
    this.parser.end();
    const label = this.label.length === 0 ? undefined : parseBackupLabel(Buffer.concat(this.label).toString());
    const facts = { files: this.seen.size, bytes: this.bytes, label };
    if (this.manifest.length === 0) {
      return { ...facts, manifest: undefined, problems: ['there is no backup_manifest at the end of the tar'] };
    }
    let manifest: BackupManifest;
    try {
      manifest = parseBackupManifest(Buffer.concat(this.manifest));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return { ...facts, manifest: undefined, problems: [error.message] };
    }
    const problems = [...compare(manifest, this.seen), ...missingLog(manifest, this.seen, segmentBytes)];
    const more = problems.length - MOST_PROBLEMS;
    const { walRanges, systemIdentifier } = manifest;
    return {
      ...facts,
      manifest: { walRanges, systemIdentifier },
      problems: more > 0 ? [...problems.slice(0, MOST_PROBLEMS), `and ${more} more`] : problems,
    };
  }

  private handler(): TarHandler {
    let entry: TarEntry | undefined;
    let hash: Hash | undefined;
    return {
      begin: (begun) => {
        entry = begun;
        hash = begun.type === 'file' ? createHash('sha256') : undefined;
        const limit = begun.path === MANIFEST ? MANIFEST_LIMIT_BYTES : LABEL_LIMIT_BYTES;
        if ((begun.path === MANIFEST || begun.path === LABEL) && begun.sizeBytes > limit) {
          throw new HoldfastError('ArchiveBroken', `The ${begun.path} has ${begun.sizeBytes} bytes`);
        }
      },
      data: (bytes) => {
        this.bytes += bytes.length;
        if (entry?.path === MANIFEST) this.manifest.push(Buffer.from(bytes));
        else hash?.update(bytes);
        if (entry?.path === LABEL) this.label.push(Buffer.from(bytes));
      },
      finish: () => {
        if (entry === undefined || hash === undefined || entry.path === MANIFEST) return;
        this.seen.set(entry.path.replace(/^\.\//, ''), { sizeBytes: entry.sizeBytes, sha256: hash.digest('hex') });
      },
    };
  }
}

function compare(manifest: BackupManifest, seen: ReadonlyMap<string, Seen>): string[] {
  const problems: string[] = [];
  for (const [path, { sizeBytes, sha256 }] of manifest.files) {
    const found = seen.get(path);
    if (found === undefined) problems.push(`${path} is in the manifest and not in the tar`);
    else if (found.sizeBytes !== sizeBytes)
      problems.push(`${path} has ${found.sizeBytes} bytes instead of ${sizeBytes}`);
    else if (sha256 === undefined) problems.push(`${path} has no SHA-256 in the manifest`);
    else if (found.sha256 !== sha256) problems.push(`${path} has another SHA-256 than the manifest says`);
  }
  for (const path of seen.keys()) {
    if (!manifest.files.has(path) && !path.startsWith(LOG)) problems.push(`${path} is not in the manifest`);
  }
  return problems;
}

/** The log from the start of the backup to its end lies in the tar, so that it is complete by itself. */
function missingLog(manifest: BackupManifest, seen: ReadonlyMap<string, Seen>, segmentBytes: number): string[] {
  if (manifest.walRanges.length === 0) return ['the manifest names no range of the log'];
  const problems: string[] = [];
  for (const { timeline, startLsn, endLsn } of manifest.walRanges) {
    const [start, end] = [parseLsn(startLsn), parseLsn(endLsn)];
    if (end <= start) return [`the manifest names the range ${startLsn} to ${endLsn} of the log`];
    for (let at = startOfSegment(start, segmentBytes); at < end; at += BigInt(segmentBytes)) {
      const name = segmentName(timeline, at, segmentBytes);
      const found = seen.get(LOG + name);
      if (found === undefined) problems.push(`the log file ${name} is not in the tar`);
      else if (found.sizeBytes !== segmentBytes) problems.push(`the log file ${name} has ${found.sizeBytes} bytes`);
    }
  }
  return problems;
}
