/** Whether a server is fit for what its component promises, by what it told. Pure. */
import { formatBytes } from '../observe/format.ts';
import type { PostgresBaseComponent, PostgresComponent } from '../system/types.ts';
import type { DatabaseLook, ServerLook } from './look.ts';
import { WITHOUT_TABLESPACES } from './tablespaces.ts';

export interface Judgement {
  readonly state: 'warn' | 'fail';
  readonly detail: string;
  readonly doThis: string;
}

const GRANTS = 'Run what `holdfast grants` prints for this component.';
/** Row T1: the log leaves the server at least every 15 minutes. */
const LONGEST_ARCHIVE_TIMEOUT_SECONDS = 900;
/** One for the base, one for the log, and one to spare. */
const SENDERS_WANTED = 3;

const fail = (detail: string, doThis: string): Judgement => ({ state: 'fail', detail, doThis });
const warn = (detail: string, doThis: string): Judgement => ({ state: 'warn', detail, doThis });
const set = (name: string, value: string, restart: boolean): string =>
  `ALTER SYSTEM SET ${name} = ${value}; then ${restart ? 'restart the server' : 'SELECT pg_reload_conf()'}.`;

/** Empty when all is well. */
export function judgeServer(component: PostgresComponent, look: ServerLook): Judgement[] {
  return [...(component.method === 'base' ? judgeBase(component, look) : judgeDump(look)), ...judgeSafety(look)];
}

function judgeSafety({ settings }: ServerLook): Judgement[] {
  const found: Judgement[] = [];
  if (settings['data_checksums'] === 'off') {
    found.push(
      warn(
        'data checksums are off: a damaged page is read as if it were good',
        'Stop the server, run `pg_checksums --enable`, start it.',
      ),
    );
  }
  for (const name of ['fsync', 'full_page_writes']) {
    if (settings[name] !== 'off') continue;
    found.push(warn(`${name} is off: a crash of the machine may destroy the cluster`, set(name, 'on', false)));
  }
  return found;
}

function judgeDump(look: ServerLook): Judgement[] {
  const missing = look.missingDatabases.map((name) => fail(`there is no database ${name}`, 'Correct `databases`.'));
  return [...missing, ...look.databases.flatMap((database) => judgeDatabase(database, look))];
}

function judgeDatabase(database: DatabaseLook, { role, settings }: ServerLook): Judgement[] {
  const { name, unreadable, hidden, foreignObjects } = database;
  const found: Judgement[] = [];
  const among = (of: DatabaseLook['hidden']): string =>
    `${of.some.join(', ')}${of.count > of.some.length ? ', …' : ''}`;
  if (unreadable.count > 0) {
    found.push(fail(`${name}: ${unreadable.count} tables can't be read: ${among(unreadable)}`, GRANTS));
  }
  if (hidden.count > 0) {
    found.push(fail(`${name}: row level security hides rows of ${hidden.count} tables: ${among(hidden)}`, GRANTS));
  }
  if (foreignObjects > 0 && !role.superuser && settings['lo_compat_privileges'] !== 'on') {
    found.push(warn(`${name}: ${foreignObjects} large objects have other owners and may not be readable`, GRANTS));
  }
  if (database.collationChanged) {
    found.push(
      warn(
        `${name}: the collation has another version than when it was made: indexes over text may be out of order`,
        `REINDEX DATABASE "${name}"; then ALTER DATABASE "${name}" REFRESH COLLATION VERSION.`,
      ),
    );
  }
  return found;
}

function judgeBase(component: PostgresBaseComponent, look: ServerLook): Judgement[] {
  const { settings, role } = look;
  const found: Judgement[] = [];
  if (!role.replication && !role.superuser) found.push(fail('the role may not replicate', GRANTS));
  if (settings['wal_level'] === 'minimal') {
    found.push(
      fail('wal_level is minimal: neither a base backup nor its log can be had', set('wal_level', "'replica'", true)),
    );
  }
  const senders = Number(settings['max_wal_senders'] ?? 0);
  if (senders - look.sendersUsed < SENDERS_WANTED) {
    const wanted = look.sendersUsed + SENDERS_WANTED;
    found.push(
      fail(
        `max_wal_senders is ${senders} and ${look.sendersUsed} are in use: base backup and log need ${SENDERS_WANTED}`,
        set('max_wal_senders', String(Math.max(wanted, 10)), true),
      ),
    );
  }
  if (look.tablespacesOutside.length > 0) {
    const named = look.tablespacesOutside.join(', ');
    found.push(fail(`tablespaces outside the data directory can't be in a base backup: ${named}`, WITHOUT_TABLESPACES));
  }
  if (look.leftSlot !== undefined) found.push(judgeLeftSlot(look.leftSlot));
  if (component.wal?.mode === 'stream') found.push(...judgeSlot(component.wal, look));
  if (component.wal?.mode === 'archive') found.push(...judgeArchive(look));
  return found;
}

function judgeLeftSlot({ name, heldBytes }: NonNullable<ServerLook['leftSlot']>): Judgement {
  return fail(
    `the slot ${name} is left on the server, where nobody reads it: it holds back ${formatBytes(heldBytes)} of log, and more with every write`,
    `If its log is not wanted any more, drop it: ${dropping(name)}`,
  );
}

/** The command for a slot that is not needed. */
export function dropping(slot: string): string {
  return `SELECT pg_drop_replication_slot('${slot}');`;
}

function judgeSlot(wal: NonNullable<PostgresBaseComponent['wal']>, { slot, settings }: ServerLook): Judgement[] {
  const found: Judgement[] = [];
  const bound = formatBytes(wal.slotBoundBytes);
  // In MiB; -1 is no limit. Absent before PostgreSQL 13.
  const keep = Number(settings['max_slot_wal_keep_size'] ?? -1);
  if (keep < 0) {
    found.push(
      warn(
        'max_slot_wal_keep_size has no limit: if nobody reads the slot, the log fills the disk of the server',
        set('max_slot_wal_keep_size', `'${Math.ceil(wal.slotBoundBytes / 2 ** 20)}MB'`, false),
      ),
    );
  }
  if (slot === undefined) return found;
  if (slot.walStatus === 'lost') {
    found.push(
      fail(
        `the slot ${wal.slot} has lost its log: there is a gap`,
        `Drop it: SELECT pg_drop_replication_slot('${wal.slot}'); it is made again, with a new base backup.`,
      ),
    );
  } else if (slot.heldBytes > wal.slotBoundBytes / 2) {
    const detail = `the slot ${wal.slot} holds back ${formatBytes(slot.heldBytes)} of the log, of ${bound} at most`;
    const doThis = 'See whether its worker runs (`holdfast status`).';
    found.push(slot.heldBytes > wal.slotBoundBytes ? fail(detail, doThis) : warn(detail, doThis));
  }
  return found;
}

function judgeArchive({ settings, role, archiver, facts }: ServerLook): Judgement[] {
  const found: Judgement[] = [];
  const mode = settings['archive_mode'] ?? 'off';
  if (mode === 'off') found.push(fail('archive_mode is off: no log is archived', set('archive_mode', 'on', true)));
  else if (facts.inRecovery && mode !== 'always') {
    found.push(
      fail('this is a standby, which archives only with archive_mode = always', set('archive_mode', "'always'", true)),
    );
  }
  const command = settings['archive_command'];
  if (!role.superuser && !role.readsSettings && command === undefined) {
    found.push(warn('the role may not see archive_command', GRANTS));
  } else if ((command ?? '') === '' && (settings['archive_library'] ?? '') === '') {
    found.push(
      fail(
        'archive_command is empty: no log is archived',
        'Let it copy each file to `archiveDirectory`, refuse to overwrite, and fail when it could not.',
      ),
    );
  }
  const timeout = Number(settings['archive_timeout'] ?? 0);
  if (timeout === 0 || timeout > LONGEST_ARCHIVE_TIMEOUT_SECONDS) {
    const told = timeout === 0 ? 'is off: a quiet server archives nothing' : `is ${timeout} s`;
    found.push(
      fail(
        `archive_timeout ${told}; at most ${LONGEST_ARCHIVE_TIMEOUT_SECONDS} s keep the recovery point`,
        set('archive_timeout', "'300s'", false),
      ),
    );
  }
  if (archiver.failing) {
    const last =
      archiver.lastArchivedAt === undefined ? 'nothing was archived yet' : `last success ${archiver.lastArchivedAt}`;
    found.push(
      fail(
        `archiving fails at ${archiver.lastFailedWal ?? 'a file'}; ${last}`,
        "The server's log says why; until then its disk fills up.",
      ),
    );
  }
  return found;
}
