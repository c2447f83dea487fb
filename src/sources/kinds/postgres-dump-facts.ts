/** What a dump's capture tells of the server and its databases: the artifact `facts.json` of a component. */
import { HoldfastError } from '../../failures.ts';
import type { ArtifactReader } from '../../part.ts';
import type { DatabaseDescription } from '../../postgres/catalogue.ts';
import type { DatabaseProperties } from '../postgres/database-properties.ts';
import { readJsonArtifact } from './json-artifact.ts';

/** Name of the artifact with `DumpFacts`. */
export const DUMP_FACTS = 'facts.json';
/** Name of the artifact with roles and tablespaces, as SQL; absent when only tables were captured. */
export const DUMP_GLOBALS = 'globals.sql';

export interface TableFacts {
  readonly schema: string;
  readonly name: string;
  /** Of the table alone: rows of partitions and children belong to those. Absent when `tableChecksums` is off. */
  readonly rows?: number;
  /**
   * The sum of hashtextextended(row::text, 0) over all rows: the same for the same rows in any order. Decimal digits.
   * Only comparable between databases of one encoding, as `tableFacts` in src/postgres computes it.
   */
  readonly checksum?: string;
}

/** As it was when it was captured. */
export interface DatabaseFacts extends DatabaseDescription {
  readonly name: string;
  /** Name of the artifact with the dump in custom format. */
  readonly artifact: string;
  /** Those that the dump holds, sorted by schema and name. Partitioned tables themselves have no rows. */
  readonly tables: readonly TableFacts[];
  /** Of the database itself: its grants, settings, comment. Absent in backups made before they were told. */
  readonly properties?: DatabaseProperties;
}

export interface DumpFacts {
  readonly format: 1;
  readonly server: {
    readonly versionNumber: number;
    readonly version: string;
    readonly systemIdentifier: string;
    /** The dump came from a standby. */
    readonly inRecovery: boolean;
  };
  /** Empty: whole databases. Otherwise the tables of the one database, as the system file names them. */
  readonly selectedTables: readonly string[];
  /** Passwords of roles are in the globals; false when the role that captured could not read them. */
  readonly rolePasswords: boolean;
  readonly databases: readonly DatabaseFacts[];
}

/** Throws ArchiveBroken when it is missing or of another format. */
export async function readDumpFacts(artifacts: readonly ArtifactReader[], signal: AbortSignal): Promise<DumpFacts> {
  const artifact = artifacts.find(({ name }) => name === DUMP_FACTS);
  if (artifact === undefined) throw new HoldfastError('ArchiveBroken', `the backup has no ${DUMP_FACTS}`);
  const facts = (await readJsonArtifact(artifact, signal)) as Partial<DumpFacts> | null;
  if (facts?.format !== 1 || facts.server === undefined || facts.databases === undefined) {
    throw new HoldfastError('ArchiveBroken', `${DUMP_FACTS} is not of format 1`);
  }
  return facts as DumpFacts;
}

/** `db-<name>.dump`, where what a name must not hold in an artifact's name is written as %XX. */
export function dumpArtifactName(database: string): string {
  return `db-${encodeURIComponent(database).replaceAll(/[.'()*!~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)}.dump`;
}
