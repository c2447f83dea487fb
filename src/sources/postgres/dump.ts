/** What of a backup is restored: dumps with their facts, and the roles that came with them. */
import type { ArtifactReader } from '../../part.ts';
import { HoldfastError } from '../../failures.ts';
import { DUMP_GLOBALS, readDumpFacts, type DatabaseFacts, type DumpFacts } from '../kinds/postgres-dump-facts.ts';

const MOST_GLOBALS_BYTES = 64 << 20;

export interface Dump {
  readonly server: DumpFacts['server'];
  readonly selectedTables: readonly string[];
  readonly databases: readonly { readonly facts: DatabaseFacts; readonly reader: ArtifactReader }[];
  /** SQL; empty when the backup has none. */
  readonly globals: string;
  /** Everything that was captured. */
  readonly whole: boolean;
  readonly lengthBytes: number;
}

/** `names` empty: every database of the backup. Throws BadInput for others, ArchiveBroken when a part is missing. */
export async function readDump(
  artifacts: readonly ArtifactReader[],
  names: readonly string[],
  signal: AbortSignal,
): Promise<Dump> {
  const facts = await readDumpFacts(artifacts, signal);
  const known = facts.databases.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    const has = known.join(', ');
    throw new HoldfastError('BadInput', `the backup has no database ${unknown.join(', ')}; it has ${has}`);
  }
  const chosen = facts.databases.filter(({ name }) => names.length === 0 || names.includes(name));
  const databases = chosen.map((each) => ({ facts: each, reader: readerOf(artifacts, each.artifact) }));
  const globals = artifacts.find(({ name }) => name === DUMP_GLOBALS);
  return {
    server: facts.server,
    selectedTables: facts.selectedTables,
    databases,
    globals: globals === undefined ? '' : await textOf(globals, signal),
    whole: chosen.length === known.length && facts.selectedTables.length === 0,
    lengthBytes: databases.reduce((sum, { reader }) => sum + reader.lengthBytes, 0),
  };
}

function readerOf(artifacts: readonly ArtifactReader[], name: string): ArtifactReader {
  const found = artifacts.find((artifact) => artifact.name === name);
  if (found === undefined) throw new HoldfastError('ArchiveBroken', `the backup has no ${name}`);
  return found;
}

async function textOf(artifact: ArtifactReader, signal: AbortSignal): Promise<string> {
  if (artifact.lengthBytes > MOST_GLOBALS_BYTES) {
    throw new HoldfastError('ArchiveBroken', `${artifact.name} has ${artifact.lengthBytes} bytes`);
  }
  const pieces: Uint8Array[] = [];
  for await (const bytes of artifact.read({ signal })) pieces.push(bytes);
  return Buffer.concat(pieces).toString('utf8');
}
