/** The least rights with which a component can be captured and restored, as SQL for the server's administrator. Pure. */
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { PostgresComponent } from '../system/types.ts';
import { parseTableName, quotedTable } from './table-names.ts';

export interface Grant {
  readonly sql: string;
  readonly why: string;
  /** Not needed everywhere: what must be the case. Absent: always needed. */
  readonly onlyIf?: string;
  /** Where it is to be run; absent: in any database of the server. */
  readonly database?: string;
}

export interface GrantsFor {
  readonly purpose: 'backup' | 'restore';
  readonly role: string;
  readonly grants: readonly Grant[];
}

/** What `holdfast grants` prints: for the role that captures and, when it is another one, for the role that restores. */
export function grantsOf(component: PostgresComponent): GrantsFor[] {
  const { backup, restore } = component.server;
  const roles: GrantsFor[] = [{ purpose: 'backup', role: backup.user, grants: backupGrants(component) }];
  const restorer = restore?.user ?? backup.user;
  const grants = restoreGrants(component, restorer, restorer !== backup.user);
  if (grants.length > 0) roles.push({ purpose: 'restore', role: restorer, grants });
  return roles;
}

function backupGrants(component: PostgresComponent): Grant[] {
  const role = escapeIdentifier(component.server.backup.user);
  return [
    {
      sql: roleThatLogsIn(component.server.backup.user),
      why: 'the role that captures; give it its password with \\password',
    },
    ...(component.method === 'base' ? baseGrants(role) : dumpGrants(component, role)),
  ];
}

function baseGrants(role: string): Grant[] {
  return [
    { sql: `ALTER ROLE ${role} REPLICATION`, why: 'base backups, and the log through a replication slot' },
    { sql: `GRANT pg_monitor TO ${role}`, why: 'settings of the log and its archive, and what the slot holds back' },
  ];
}

function dumpGrants(component: Extract<PostgresComponent, { method: 'dump' }>, role: string): Grant[] {
  const connect = component.databases.map((database): Grant => ({
    sql: `GRANT CONNECT ON DATABASE ${escapeIdentifier(database)} TO ${role}`,
    why: `to read ${database}`,
    onlyIf: 'CONNECT was taken from PUBLIC',
  }));
  const rowSecurity: Grant = {
    sql: `ALTER ROLE ${role} BYPASSRLS`,
    why: 'a dump of some of the rows is refused',
    onlyIf: 'tables have row level security',
  };
  if (component.tables.length > 0) return [...connect, ...tableGrants(component, role), rowSecurity];
  return [
    ...connect,
    {
      sql: `GRANT pg_read_all_data TO ${role}`,
      why: 'to read every table and sequence, with pg_authid: the backup holds the hashes of the roles’ passwords',
    },
    {
      sql: `ALTER ROLE ${role} SET lo_compat_privileges = on`,
      why: 'to read every large object: they have owners of their own, and pg_read_all_data does not cover them',
      onlyIf: 'there are large objects',
    },
    rowSecurity,
  ];
}

function tableGrants(component: Extract<PostgresComponent, { method: 'dump' }>, role: string): Grant[] {
  const [database] = component.databases;
  const there = database === undefined ? {} : { database };
  const tables = component.tables.map(parseTableName);
  const schemas = [...new Set(tables.map(({ schema }) => schema))].map(escapeIdentifier);
  return [
    ...schemas.flatMap((schema): Grant[] => [
      { sql: `GRANT USAGE ON SCHEMA ${schema} TO ${role}`, why: 'to see the tables', ...there },
      {
        sql: `GRANT SELECT ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role}`,
        why: 'the counters of the tables come with them',
        onlyIf: 'the tables number their rows by sequences',
        ...there,
      },
    ]),
    ...tables.map((table): Grant => ({
      sql: `GRANT SELECT ON TABLE ${quotedTable(table)} TO ${role}`,
      why: 'to read it; its partitions need the same',
      ...there,
    })),
  ];
}

function restoreGrants(component: PostgresComponent, user: string, own: boolean): Grant[] {
  // A cluster is restored as files, on the host: no role of the old one takes part.
  if (component.method === 'base') return [];
  const role = escapeIdentifier(user);
  return [
    ...(own
      ? [{ sql: roleThatLogsIn(user), why: 'the role that restores; give it its password with \\password' }]
      : []),
    { sql: `ALTER ROLE ${role} CREATEDB`, why: 'to make the database beside, and to rename databases' },
    { sql: `GRANT pg_signal_backend TO ${role}`, why: 'to end sessions of the database that is replaced' },
    { sql: membership(user), why: 'to give databases, tables and the rest to those who own them now' },
    {
      sql: `ALTER ROLE ${role} SUPERUSER`,
      why: 'to give things to a superuser, and to put rows into its tables, which no lesser role may',
      onlyIf: 'databases or tables belong to a superuser, as in most images of PostgreSQL',
    },
    {
      sql: `ALTER ROLE ${role} CREATEROLE`,
      why: 'to make roles again that own something in the backup',
      onlyIf: 'roles may be missing when it is restored',
    },
  ];
}

/** The same role may serve several components, and a script may be run again. */
function roleThatLogsIn(user: string): string {
  return `DO $role$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${escapeLiteral(user)}) THEN
    CREATE ROLE ${escapeIdentifier(user)} LOGIN;
  END IF;
END
$role$`;
}

/** Owners are in a catalogue that all databases share. A superuser's role is given to nobody. */
function membership(user: string): string {
  return `DO $owners$
DECLARE owner text;
BEGIN
  FOR owner IN
    SELECT DISTINCT r.rolname FROM pg_catalog.pg_shdepend d JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid
     WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.deptype = 'o'
       AND NOT r.rolsuper AND r.rolname !~ '^pg_' AND r.rolname <> ${escapeLiteral(user)} ORDER BY 1
  LOOP
    EXECUTE format('GRANT %I TO %I', owner, ${escapeLiteral(user)});
  END LOOP;
END
$owners$`;
}

/** A script for psql, to be read before it is run: what is not always needed is there as a comment. */
export function grantsScript(component: PostgresComponent): string {
  const lines = [`-- Least rights for ${component.name}. Run by a superuser with psql, after reading.`];
  for (const { purpose, role, grants } of grantsOf(component)) {
    lines.push('', `-- ${purpose === 'backup' ? 'Capture' : 'Restore'}: the role ${oneLine(role)}`);
    let database: string | undefined;
    for (const grant of grants) {
      if (grant.database !== undefined && grant.database !== database) {
        database = grant.database;
        lines.push(`\\connect ${escapeIdentifier(database)}`);
      }
      const { onlyIf, why, sql } = grant;
      lines.push(`-- ${oneLine(why)}${onlyIf === undefined ? '' : `; only if ${onlyIf}:`}`);
      lines.push(onlyIf === undefined ? `${sql};` : `-- ${oneLine(sql)};`);
    }
  }
  lines.push(
    '',
    '-- pg_hba.conf decides from where and how each role may come in' +
      (component.method === 'base' ? '; base backups and the log need a line for the database `replication`.' : '.'),
  );
  return `${lines.join('\n')}\n`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ');
}
