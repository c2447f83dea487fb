/** What the plan of a restore says of PostgreSQL databases: their names, and what the old ones are called afterwards. */
import { HoldfastError } from '../failures.ts';
import type { Component, PostgresComponent } from '../system/types.ts';
import type { ManifestBody } from '../vault/types.ts';

type ComponentRecord = ManifestBody['components'][number];

/** In words; the rest of a name follows from the run, which a plan does not know. */
export function databasesOf(
  component: Component,
  record: ComponentRecord | undefined,
  paths: readonly string[],
): string[] | undefined {
  if (component.kind !== 'postgres' || component.method !== 'dump') return undefined;
  const captured = namesIn(record?.facts['databases']);
  const names = captured.length > 0 ? captured : component.databases;
  return names.filter((name) => paths.length === 0 || paths.includes(name));
}

export function wordsOf(action: 'restore' | 'swap' | 'create', databases: readonly string[]): string[] {
  return databases.map((name) => {
    if (action === 'restore') return `database ${name} as ${name}__holdfast_…`;
    return action === 'create' ? `database ${name}` : `database ${name}, the old one kept as ${name}__before_…`;
  });
}

function namesIn(databases: unknown): string[] {
  if (!Array.isArray(databases)) return [];
  return databases.flatMap((each: unknown) => {
    const name: unknown = typeof each === 'object' && each !== null && 'name' in each ? each.name : undefined;
    return typeof name === 'string' ? [name] : [];
  });
}

/** A backup of some tables never replaces the database that they belong to; said before anybody approves it. */
export function refuseTablesOnly(
  components: readonly Component[],
  body: ManifestBody,
  asked: { readonly target?: string; readonly mode?: string },
): void {
  if (asked.target !== undefined || asked.mode === 'verify') return;
  for (const { name, kind } of components) {
    const tables = body.components.find((record) => record.name === name)?.facts['selectedTables'];
    if (kind !== 'postgres' || !Array.isArray(tables) || tables.length === 0) continue;
    throw new HoldfastError(
      'BadInput',
      `the backup of ${name} holds only ${tables.join(', ')}: it replaces no database`,
      {
        hint: 'Restore it into a database of its own with --target <name>, look at it, then put rows back.',
      },
    );
  }
}

/** A cluster is exchanged by its directory, where that is declared. */
export function placeOfServer(component: PostgresComponent): string {
  if (component.method === 'base' && component.dataDirectory !== undefined) return component.dataDirectory;
  const { server } = component;
  const { tools } = server;
  const named = tools.kind === 'container' ? tools.container : tools.kind === 'service' ? tools.service : '127.0.0.1';
  return `postgres ${server.address ?? named}:${server.port}`;
}
