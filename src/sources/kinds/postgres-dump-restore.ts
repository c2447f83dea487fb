/**
 * Dumps put back: restored into databases beside the live ones, checked there, and swapped in by name. A live database is
 * never dropped: it keeps its content under another name until the restore is committed without it.
 */
import { HoldfastError } from '../../failures.ts';
import { withPostgres } from '../../postgres/open.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { PostgresDumpComponent } from '../../system/types.ts';
import { bringDatabases, refuseTaken } from '../postgres/bring.ts';
import { checkRestored } from '../postgres/check-restored.ts';
import {
  isSwapped,
  isUntouched,
  reopenDatabases,
  renameRestored,
  swapDatabases,
  swapDatabasesBack,
  withOldNumbers,
} from '../postgres/database-swap.ts';
import { readDump, type Dump } from '../postgres/dump.ts';
import { preflight, refuseForeignOwners } from '../postgres/preflight.ts';
import { bringToOwnServer } from '../postgres/own-server.ts';
import { proveOnScratchServer } from '../postgres/proof.ts';
import { asideName, besideName, RestoreNotes, tooLong } from '../postgres/restore-record.ts';
import type { DumpRestoreRecord, RestoredDatabase } from '../postgres/restore-record.ts';
import { dropRoles } from '../postgres/roles.ts';
import { databasesOn, dropDatabase } from '../postgres/server-databases.ts';
import type { Beside, ComponentKind, KindContext, RestoreTarget } from './component.ts';

type Restoring = Pick<
  ComponentKind<PostgresDumpComponent>,
  'restoreBeside' | 'checkBeside' | 'swapIn' | 'swapBack' | 'reopen' | 'commit' | 'discard'
>;

export const dumpRestoring: Restoring = {
  async restoreBeside(component, artifacts, target, restoreId, context): Promise<Beside> {
    const dump = await readDump(artifacts, target.paths, context.signal);
    const purpose = target.verify === true ? 'proof' : target.elsewhere === undefined ? 'live' : 'elsewhere';
    refuseImpossible(component, dump, target, purpose);
    const begun = recordOf(dump, target, restoreId, purpose);
    const notes = notesOf(component, restoreId, context);
    const { ownServer } = context;
    if (ownServer !== undefined) {
      const report = await bringToOwnServer(component, dump, begun, ownServer, context);
      const done = await notes.write({ ...begun, purpose: 'proof', databases: [], report });
      return besideOf(component, restoreId, { ...done, databases: begun.databases }, 'a server of its own');
    }
    if (purpose === 'proof') {
      const proved = await proveOnScratchServer(component, dump, begun, context);
      if ('report' in proved) {
        await notes.write({ ...begun, databases: [], report: proved.report });
        return besideOf(component, restoreId, begun, proved.where);
      }
      begun.told.push(`there is no scratch server: ${proved.why}`);
    }
    return withPostgres(component.server, 'restore', context, (access) =>
      restoreOn(component, access, dump, begun, restoreId, context),
    );
  },

  async checkBeside(component, beside, context) {
    const record = await notesOf(component, beside.restoreId, context).known();
    if (record.report !== undefined) return record.report;
    return withPostgres(component.server, 'restore', context, (access) =>
      checkRestored(component, access, record, context),
    );
  },

  async swapIn(component, beside, context) {
    const notes = notesOf(component, beside.restoreId, context);
    const known = await notes.known();
    if (known.purpose !== 'live') return;
    await onSameServer(component, known, context, async (access) => {
      const { signal } = context;
      const record = known.swapping
        ? known
        : await notes.write({
            ...known,
            swapping: true,
            databases: await withOldNumbers(access, known.databases, signal),
          });
      await swapDatabases(access, record.databases, signal);
    });
  },

  async swapBack(component, beside, context) {
    const record = await notesOf(component, beside.restoreId, context).record();
    if (record?.swapping !== true || record.committed) return;
    await onSameServer(component, record, context, (access) =>
      swapDatabasesBack(access, record.databases, context.signal),
    );
  },

  async reopen(component, beside, context) {
    const record = await notesOf(component, beside.restoreId, context).record();
    if (record?.swapping !== true || record.committed) return;
    await onSameServer(component, record, context, (access) =>
      reopenDatabases(access, record.databases, context.signal),
    );
  },

  async commit(component, beside, { keep }, context) {
    const notes = notesOf(component, beside.restoreId, context);
    const record = await notes.record();
    if (record === undefined) return {};
    if (record.purpose !== 'live') {
      await notes.remove();
      return {};
    }
    return onSameServer(component, record, context, async (access) => {
      const { signal } = context;
      const seen = await access.withClient({ signal }, databasesOn);
      if (!isSwapped(record.databases, seen) && !record.committed) {
        throw new HoldfastError('PlanChanged', `${component.name} was not swapped in, so there is nothing to commit`);
      }
      await notes.write({ ...record, committed: true });
      const old = record.databases.filter(({ oldOid, aside }) => oldOid !== null && seen.get(aside)?.oid === oldOid);
      if (keep) return old.length === 0 ? {} : { aside: `database ${old.map(({ aside }) => aside).join(', ')}` };
      for (const { aside, oldOid } of old) await dropDatabase(access, aside, oldOid ?? undefined, signal);
      await notes.remove();
      return {};
    });
  },

  async discard(component, beside, context) {
    const notes = notesOf(component, beside.restoreId, context);
    const record = await notes.record();
    if (record === undefined) return;
    if (record.databases.length > 0) {
      await onSameServer(component, record, context, (access) => removeMade(access, record, context.signal));
    }
    await notes.remove();
  },
};

type Purpose = DumpRestoreRecord['purpose'];

function notesOf(component: PostgresDumpComponent, restoreId: string, context: KindContext): RestoreNotes {
  return new RestoreNotes(context.stateDirectory, restoreId, component.name);
}

/** Names on another server are other databases. */
async function onSameServer<T>(
  component: PostgresDumpComponent,
  record: DumpRestoreRecord,
  context: KindContext,
  use: (access: PostgresAccess) => Promise<T>,
): Promise<T> {
  return withPostgres(component.server, 'restore', context, async (access) => {
    const { systemIdentifier } = await access.facts(context.signal);
    if (systemIdentifier !== record.systemIdentifier) {
      throw new HoldfastError('PlanChanged', `${component.name} was restored on another server than the one there now`);
    }
    return use(access);
  });
}

/** What can't work is said before anything is made. Throws BadInput. */
function refuseImpossible(
  { name, server }: PostgresDumpComponent,
  { selectedTables, databases }: Dump,
  target: RestoreTarget,
  purpose: Purpose,
): void {
  if (target.recoverTo !== undefined) {
    throw new HoldfastError('BadInput', `${name} is a dump: it is as it was at the backup, and at no other time`);
  }
  if (purpose === 'live' && selectedTables.length > 0) {
    const tables = selectedTables.join(', ');
    throw new HoldfastError('BadInput', `the backup of ${name} holds only ${tables}: it can't replace a database`, {
      hint: 'Restore it into a database of its own with --target <name>, look at it, then put rows back.',
    });
  }
  if (purpose !== 'elsewhere') return;
  const { elsewhere = '' } = target;
  if (databases.length !== 1) {
    const names = databases.map(({ facts }) => facts.name).join(', ');
    throw new HoldfastError('BadInput', `${names} can't all be restored as ${elsewhere}`, {
      hint: 'Name the one that is wanted with --path.',
    });
  }
  const reserved = [server.maintenanceDatabase, 'postgres', 'template0', 'template1'];
  if (elsewhere === '' || elsewhere.includes('/') || tooLong(elsewhere) || reserved.includes(elsewhere)) {
    throw new HoldfastError('BadInput', `\`${elsewhere}\` is no name for a new database: write one such as app_copy`);
  }
}

type Begun = DumpRestoreRecord & { readonly told: string[] };

function recordOf(dump: Dump, target: RestoreTarget, restoreId: string, purpose: Purpose): Begun {
  const { selectedTables, whole } = dump;
  const databases = dump.databases.map(({ facts }): RestoredDatabase => {
    const live = purpose === 'elsewhere' ? (target.elsewhere ?? facts.name) : facts.name;
    const [beside, aside] = [besideName(live, restoreId), asideName(live, restoreId)];
    return { facts, live, beside, aside, newOid: null, oldOid: null };
  });
  return {
    format: 1,
    purpose,
    systemIdentifier: '',
    selectedTables,
    whole,
    databases,
    createdRoles: [],
    told: [],
    swapping: false,
    committed: false,
  };
}

async function restoreOn(
  component: PostgresDumpComponent,
  access: PostgresAccess,
  dump: Dump,
  begun: DumpRestoreRecord,
  restoreId: string,
  context: KindContext,
): Promise<Beside> {
  const { signal } = context;
  const notes = notesOf(component, restoreId, context);
  const earlier = await notes.record();
  if (earlier !== undefined) await refuseInUse(access, earlier, signal);
  const { systemIdentifier } = await preflight(access, dump, signal);
  if (begun.purpose !== 'proof') await refuseForeignOwners(access, dump, signal);
  if (earlier === undefined) {
    const names = begun.databases.flatMap(({ beside, aside }) => [beside, aside]);
    await refuseTaken(access, names, signal);
  } else {
    await dropRestored(access, earlier, signal);
  }
  if (begun.purpose === 'elsewhere')
    await refuseTaken(
      access,
      begun.databases.map(({ live }) => live),
      signal,
    );
  const created = earlier?.createdRoles ?? [];
  const first = await notes.write({ ...begun, systemIdentifier, createdRoles: created });
  const save = async (record: DumpRestoreRecord): Promise<void> => {
    await notes.write(record);
  };
  const proof = begun.purpose === 'proof';
  try {
    const { jobs } = component;
    const record = await bringDatabases({ access, dump, context, jobs, plain: proof, save }, first);
    if (begun.purpose === 'live') return besideOf(component, restoreId, record, 'the server');
    if (begun.purpose === 'elsewhere') {
      return besideOf(component, restoreId, await deliver(access, record, notes, signal), 'the server');
    }
    const report = await checkRestored(component, access, record, context);
    await removeMade(access, record, signal);
    await notes.write({ ...record, databases: [], report });
    return besideOf(component, restoreId, record, 'a scratch database');
  } catch (error) {
    // Half a database on a full disk would keep the next attempt from working; what can't be removed now is later.
    const made = await notes.record();
    if (made !== undefined) await removeMade(access, made, AbortSignal.timeout(CLEAN_LIMIT_MS)).catch(() => undefined);
    throw error;
  }
}

const CLEAN_LIMIT_MS = 60_000;

/** Only what is whole gets the name that the operator chose. */
async function deliver(
  access: PostgresAccess,
  record: DumpRestoreRecord,
  notes: RestoreNotes,
  signal: AbortSignal,
): Promise<DumpRestoreRecord> {
  for (const database of record.databases) await renameRestored(access, database, database.live, signal);
  return notes.write({ ...record, databases: record.databases.map((each) => ({ ...each, beside: each.live })) });
}

async function refuseInUse(access: PostgresAccess, earlier: DumpRestoreRecord, signal: AbortSignal): Promise<void> {
  if (!earlier.swapping) return;
  const seen = await access.withClient({ signal }, databasesOn);
  if (isUntouched(earlier.databases, seen)) return;
  throw new HoldfastError('Internal', 'the restored copy is on its way into place already');
}

function besideOf(
  component: PostgresDumpComponent,
  restoreId: string,
  { databases, purpose, told }: DumpRestoreRecord,
  where: string,
): Beside {
  const tables = databases.flatMap(({ facts }) => facts.tables);
  return {
    component: component.name,
    restoreId,
    place: purpose === 'proof' ? where : databases.map(({ beside }) => `database ${beside}`).join(', '),
    facts: {
      databases: databases.length,
      tables: tables.length,
      rows: tables.reduce((sum, { rows }) => sum + (rows ?? 0), 0),
      elsewhere: purpose === 'elsewhere',
      where,
      differences: told.length,
    },
  };
}

/** Drops what this restore made, by name and number. Refused while it is live: then the old state lies aside. */
async function removeMade(access: PostgresAccess, record: DumpRestoreRecord, signal: AbortSignal): Promise<void> {
  const seen = await access.withClient({ signal }, databasesOn);
  const live = record.databases.filter(
    ({ live: name, newOid }) => record.purpose === 'live' && newOid !== null && seen.get(name)?.oid === newOid,
  );
  if (live.length > 0) {
    const names = live.map(({ live: name }) => name).join(', ');
    throw new HoldfastError('PlanChanged', `the restored ${names} is in use; undo the swap first`);
  }
  await dropRestored(access, record, signal);
  await access.withClient({ signal }, (client) => dropRoles(client, record.createdRoles));
}

/** By number, under the names that they can have. One of no number yet has a name that only this restore gives. */
async function dropRestored(access: PostgresAccess, record: DumpRestoreRecord, signal: AbortSignal): Promise<void> {
  for (const { beside, live, newOid } of record.databases) {
    await dropDatabase(access, beside, newOid ?? undefined, signal);
    if (record.purpose === 'elsewhere' && newOid !== null) await dropDatabase(access, live, newOid, signal);
  }
}
