/** What PostgreSQL itself says of a base backup: its backup_label and its backup_manifest. Pure. */
import { createHash } from 'node:crypto';
import { HoldfastError } from '../../failures.ts';

export interface BackupLabel {
  /** Where recovery begins to read, such as `0/2000028`. */
  readonly startLsn: string;
  readonly timeline: number;
  readonly fromStandby: boolean;
}

export interface ManifestFile {
  readonly sizeBytes: number;
  /** Hexadecimal; undefined when the manifest has none, or by another algorithm. */
  readonly sha256: string | undefined;
}

export interface BackupManifest {
  readonly files: ReadonlyMap<string, ManifestFile>;
  /** The log that is needed to make it consistent, oldest first. */
  readonly walRanges: readonly { readonly timeline: number; readonly startLsn: string; readonly endLsn: string }[];
  /** From PostgreSQL 17 on. */
  readonly systemIdentifier: string | undefined;
}

/** The format of src/backend/access/transam/xlogbackup.c, which restores have to read for ever. */
export function parseBackupLabel(text: string): BackupLabel {
  const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1];
  const startLsn = /^([0-9A-F]+\/[0-9A-F]+) /.exec(field('START WAL LOCATION') ?? '')?.[1];
  const timeline = Number(field('START TIMELINE'));
  if (startLsn === undefined || !Number.isSafeInteger(timeline)) {
    throw new HoldfastError('SourceCorrupt', 'The backup_label of the base backup can not be understood');
  }
  return { startLsn, timeline, fromStandby: field('BACKUP FROM') === 'standby' };
}

interface RawManifest {
  readonly Files: readonly {
    readonly Path?: string;
    readonly 'Encoded-Path'?: string;
    readonly Size: number;
    readonly 'Checksum-Algorithm'?: string;
    readonly Checksum?: string;
  }[];
  readonly 'WAL-Ranges': readonly {
    readonly Timeline: number;
    readonly 'Start-LSN': string;
    readonly 'End-LSN': string;
  }[];
  readonly 'System-Identifier'?: string | number;
}

/**
 * PostgreSQL documentation, Backup Manifest Format. Paths are latin1 byte strings, as a tar has them. Throws
 * ArchiveBroken when the manifest is none, or its own checksum, which covers all before its last line, doesn't hold.
 */
export function parseBackupManifest(bytes: Buffer): BackupManifest {
  const lastLine = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;
  const stated = /"Manifest-Checksum"\s*:\s*"([0-9a-f]{64})"/.exec(bytes.toString('latin1', lastLine))?.[1];
  const actual = createHash('sha256').update(bytes.subarray(0, lastLine)).digest('hex');
  if (stated !== actual) {
    throw new HoldfastError('ArchiveBroken', 'The backup_manifest of the base backup fails its own checksum');
  }
  const raw = JSON.parse(withExactIdentifier(bytes.toString())) as RawManifest;
  const files = new Map<string, ManifestFile>();
  for (const file of raw.Files) {
    const path = file.Path === undefined ? Buffer.from(file['Encoded-Path'] ?? '', 'hex') : Buffer.from(file.Path);
    const sha256 = file['Checksum-Algorithm'] === 'SHA256' ? file.Checksum : undefined;
    files.set(path.toString('latin1'), { sizeBytes: file.Size, sha256 });
  }
  return {
    files,
    walRanges: raw['WAL-Ranges'].map((range) => ({
      timeline: range.Timeline,
      startLsn: range['Start-LSN'],
      endLsn: range['End-LSN'],
    })),
    systemIdentifier: raw['System-Identifier'] === undefined ? undefined : String(raw['System-Identifier']),
  };
}

/** A number of 64 bits, which JSON.parse would round. */
function withExactIdentifier(text: string): string {
  return text.replace(/("System-Identifier"\s*:\s*)(\d+)/, '$1"$2"');
}
