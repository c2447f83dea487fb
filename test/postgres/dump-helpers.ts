/** A dump component against a server of a test, and what was captured of it put back by hand. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { HoldfastError } from '../../src/failures.ts';
import type { ArtifactReader } from '../../src/part.ts';
import type { Captured, KindContext } from '../../src/sources/kinds/component.ts';
import { postgresKind } from '../../src/sources/kinds/postgres.ts';
import { readDumpFacts } from '../../src/sources/kinds/postgres-dump-facts.ts';
import type { DumpFacts } from '../../src/sources/kinds/postgres-dump-facts.ts';
import type { PostgresDumpComponent, PostgresServer as ServerConfig } from '../../src/system/types.ts';
import { contextIn, MemorySink } from '../sources/kinds-helpers.ts';
import type { PostgresServer } from '../support/postgres.ts';

export const signal = new AbortController().signal;

export function serverConfig(server: PostgresServer, changes: Partial<ServerConfig> = {}): ServerConfig {
  return {
    address: '127.0.0.1',
    port: server.port,
    tls: 'disable',
    maintenanceDatabase: 'postgres',
    tools: { kind: 'host' },
    backup: { user: 'postgres' },
    ...changes,
  };
}

export function dumpComponent(
  server: ServerConfig,
  changes: Partial<PostgresDumpComponent> = {},
): PostgresDumpComponent {
  return {
    name: 'database',
    kind: 'postgres',
    method: 'dump',
    tier: 'critical',
    host: 'here',
    after: [],
    server,
    databases: [],
    tables: [],
    tableChecksums: true,
    jobs: 2,
    checks: { requiredTables: [], minimumRows: {}, assertions: [] },
    usedBy: [],
    ...changes,
  };
}

export interface Taken extends Captured {
  readonly dump: DumpFacts;
  readonly artifacts: readonly ArtifactReader[];
}

export async function capture(
  component: PostgresDumpComponent,
  context: KindContext = contextIn('/nowhere'),
): Promise<Taken> {
  const sink = new MemorySink();
  const taken = await postgresKind.capture(component, sink, context);
  return { ...taken, artifacts: sink.readers, dump: await readDumpFacts(sink.readers, signal) };
}

export async function bytesOf(artifacts: readonly ArtifactReader[], name: string): Promise<Buffer> {
  const artifact = artifacts.find((each) => each.name === name);
  if (artifact === undefined) throw new HoldfastError('ObjectMissing', `no artifact ${name}`);
  const pieces: Uint8Array[] = [];
  for await (const piece of artifact.read()) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** By pg_restore alone, as somebody without this program would. */
export async function putBack(
  server: PostgresServer,
  artifacts: readonly ArtifactReader[],
  artifact: string,
  database: string,
): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-dump-'));
  try {
    const file = path.join(directory, 'dump');
    await writeFile(file, await bytesOf(artifacts, artifact));
    await server.tool('pg_restore', ['--exit-on-error', '--no-owner', `--dbname=${database}`, file]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
