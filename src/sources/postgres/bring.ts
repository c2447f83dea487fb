/** Databases of a dump made and filled beside what is there. */
import { HoldfastError } from '../../failures.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { KindContext } from '../kinds/component.ts';
import type { Dump } from './dump.ts';
import { rolesIn, tablespacesIn } from './globals.ts';
import { loadDump } from './load.ts';
import type { DumpRestoreRecord, RestoredDatabase } from './restore-record.ts';
import { createRoles, missingRoles } from './roles.ts';
import { createDatabase, databasesOn, dropDatabase, giveToOwner } from './server-databases.ts';

/** Writes the record down before what it tells of is done; a server that goes away with its restore needs none. */
export type Save = (record: DumpRestoreRecord) => Promise<void>;

export interface Bringing {
  readonly access: PostgresAccess;
  readonly dump: Dump;
  readonly context: KindContext;
  readonly jobs: number;
  /** Without roles, owners and grants: the databases are only looked at. */
  readonly plain: boolean;
  readonly save: Save;
}

/** What an earlier attempt made under the same names is made anew. Returns the record with what is there now. */
export async function bringDatabases(bringing: Bringing, begun: DumpRestoreRecord): Promise<DumpRestoreRecord> {
  const { access, dump, plain, save, context } = bringing;
  const { signal } = context;
  const tablesOnly = begun.selectedTables.length > 0;
  // A dump of some tables has no roles with it; their owners need not exist where they are looked at.
  const ownerless = plain || tablesOnly;
  let record = ownerless ? begun : await bringRoles(bringing, begun);
  const missing = await missingTablespaces(access, dump, signal);
  if (missing.length > 0) {
    const words = `the server has no tablespace ${missing.join(', ')}: everything lies in the default one`;
    record = { ...record, told: [...record.told, words] };
  }
  const { versionNumber } = await access.facts(signal);
  for (const { beside, facts } of record.databases) {
    await dropDatabase(access, beside, undefined, signal);
    const newOid = await access.withClient({ signal }, async (client) => {
      const made = await createDatabase(client, beside, facts, versionNumber);
      // Its owner may make things in the schema public: what is in it could not be given to him otherwise.
      if (!ownerless) await giveToOwner(client, beside, facts.owner);
      return made;
    });
    record = { ...record, databases: replaced(record.databases, beside, { newOid }) };
    await save(record);
  }
  let bytesDone = 0;
  const told = await inLanes(bringing.jobs, record.databases, signal, async ({ beside, facts }, both) => {
    const found = dump.databases.find((each) => each.facts.name === facts.name);
    if (found === undefined) throw new HoldfastError('Internal', `no dump for ${facts.name}`);
    return loadDump(access, found.reader, facts, {
      database: beside,
      plain: ownerless,
      oneTablespace: ownerless || missing.length > 0,
      tablesOnly,
      signal: both,
      onBytes: (count) => {
        bytesDone += count;
        context.report({ phase: `restore ${facts.name}`, bytesDone, bytesTotal: dump.lengthBytes });
      },
    });
  });
  record = { ...record, told: [...record.told, ...told.flat()] };
  await save(record);
  return record;
}

function replaced(
  databases: readonly RestoredDatabase[],
  beside: string,
  change: Partial<RestoredDatabase>,
): RestoredDatabase[] {
  return databases.map((each) => (each.beside === beside ? { ...each, ...change } : each));
}

/** Directories of another machine are not made on this one. */
async function missingTablespaces(access: PostgresAccess, dump: Dump, signal: AbortSignal): Promise<string[]> {
  const wanted = tablespacesIn(dump.globals);
  if (wanted.length === 0) return [];
  const { rows } = await access.withClient({ signal }, (client) =>
    client.query<{ name: string }>('SELECT spcname AS name FROM pg_tablespace'),
  );
  return wanted.filter((tablespace) => !rows.some(({ name }) => name === tablespace));
}

/** Every role of the globals, and every one that owns or was granted something. */
async function bringRoles(
  { access, dump, save, context }: Bringing,
  record: DumpRestoreRecord,
): Promise<DumpRestoreRecord> {
  const named = dump.databases.flatMap(({ facts }) => [...facts.owners, ...facts.grantees]);
  const inGlobals = rolesIn(dump.globals);
  return access.withClient({ signal: context.signal }, async (client) => {
    const missing = await missingRoles(client, [...inGlobals, ...named]);
    if (missing.length === 0) return record;
    const noted = { ...record, createdRoles: [...new Set([...record.createdRoles, ...missing])] };
    await save(noted);
    const refused = await createRoles(client, dump.globals, missing);
    const unknown = missing.filter((role) => !inGlobals.includes(role));
    const told = [
      `roles made: ${missing.join(', ')}`,
      ...(unknown.length === 0 ? [] : [`of these the backup knows only the names: ${unknown.join(', ')}`]),
      ...refused,
    ];
    return { ...noted, told: [...noted.told, ...told] };
  });
}

/** Refuses a name that is taken by something which this restore has not made. Throws TargetNotEmpty. */
export async function refuseTaken(
  access: PostgresAccess,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const seen = await access.withClient({ signal }, databasesOn);
  const taken = names.filter((name) => seen.has(name));
  if (taken.length > 0) {
    throw new HoldfastError('TargetNotEmpty', `there is a database ${taken.join(', ')} on the server already`);
  }
}

/** So many at the same time; the first failure ends the others. */
async function inLanes<T, R>(
  lanes: number,
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  const results: R[] = [];
  const waiting = [...items.entries()];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      both.throwIfAborted();
      results[next[0]] = await work(next[1], both);
    }
  };
  const running = Array.from({ length: Math.min(lanes, items.length) }, lane);
  try {
    await Promise.all(running);
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(running);
    throw error;
  }
  return results;
}
