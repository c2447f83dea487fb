/**
 * What belongs to a database itself and not to what is in it: owner, grants, settings, comment, limit of connections. A
 * dump that is restored under another name leaves it out, so it is read from the database that is replaced, or, when
 * that one is gone, taken from the capture.
 */
import { escapeIdentifier, escapeLiteral, type Client } from 'pg';

export interface DatabaseProperties {
  readonly owner: string;
  readonly connectionLimit: number;
  readonly comment: string | null;
  /** `grantee` null: everybody. */
  readonly grants: readonly {
    readonly grantee: string | null;
    readonly privilege: string;
    readonly grantable: boolean;
  }[];
  /** `role` null: every role in this database. */
  readonly settings: readonly { readonly role: string | null; readonly setting: string }[];
}

interface Row {
  readonly owner: string;
  readonly connection_limit: number;
  readonly comment: string | null;
  readonly grants: DatabaseProperties['grants'] | null;
  readonly settings: DatabaseProperties['settings'] | null;
}

/** Of the database of this number, or of the one that the client is connected to. */
export async function propertiesOf(client: Client, oid?: number): Promise<DatabaseProperties | undefined> {
  const { rows } = await client.query<Row>(
    `SELECT pg_get_userbyid(d.datdba) AS owner, d.datconnlimit AS connection_limit,
            shobj_description(d.oid, 'pg_database') AS comment,
            (SELECT json_agg(json_build_object('grantee', CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END,
                                               'privilege', a.privilege_type, 'grantable', a.is_grantable))
             FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a) AS grants,
            (SELECT json_agg(json_build_object('role', CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END,
                                               'setting', setting))
             FROM pg_db_role_setting s, unnest(s.setconfig) AS setting WHERE s.setdatabase = d.oid) AS settings
     FROM pg_database d WHERE CASE WHEN $1::oid IS NULL THEN d.datname = current_database() ELSE d.oid = $1::oid END`,
    [oid ?? null],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const { owner, connection_limit: connectionLimit, comment, grants, settings } = row;
  return { owner, connectionLimit, comment, grants: grants ?? [], settings: settings ?? [] };
}

/** Without what is of roles that this server does not have; then the owner stays who it is. Pure. */
export function fittingProperties(
  properties: DatabaseProperties,
  roles: readonly string[],
  currentOwner: string,
): DatabaseProperties {
  const known = (role: string | null): boolean => role === null || roles.includes(role);
  return {
    ...properties,
    owner: known(properties.owner) ? properties.owner : currentOwner,
    grants: properties.grants.filter(({ grantee }) => known(grantee)),
    settings: properties.settings.filter(({ role }) => known(role)),
  };
}

/** What `search_path` is for everybody in this database; undefined when the server's own is. Pure. */
export function searchPathOf(properties: DatabaseProperties | undefined): string | undefined {
  const found = properties?.settings.find(({ role, setting }) => role === null && setting.startsWith('search_path='));
  return found?.setting.slice('search_path='.length);
}

/** The statements that give them to the database of this name. Pure. */
export function propertyStatements(name: string, properties: DatabaseProperties): string[] {
  const database = `DATABASE ${escapeIdentifier(name)}`;
  const { owner, connectionLimit, comment, grants, settings } = properties;
  return [
    `ALTER ${database} OWNER TO ${escapeIdentifier(owner)}`,
    `ALTER ${database} CONNECTION LIMIT ${connectionLimit}`,
    `COMMENT ON ${database} IS ${comment === null ? 'NULL' : escapeLiteral(comment)}`,
    `REVOKE ALL ON ${database} FROM PUBLIC, ${escapeIdentifier(owner)}`,
    ...grants.map(({ grantee, privilege, grantable }) => {
      const to = grantee === null ? 'PUBLIC' : escapeIdentifier(grantee);
      return `GRANT ${privilege} ON ${database} TO ${to}${grantable && grantee !== owner ? ' WITH GRANT OPTION' : ''}`;
    }),
    ...settings.map(({ role, setting }) => {
      const of = role === null ? `ALTER ${database}` : `ALTER ROLE ${escapeIdentifier(role)} IN ${database}`;
      return `${of} SET ${assignment(setting)}`;
    }),
  ];
}

/** Of these the value is a list of names, each quoted by itself (GUC_LIST_QUOTE in src/backend/utils/misc/guc.c). */
const LISTS = new Set([
  ...['local_preload_libraries', 'search_path', 'session_preload_libraries', 'shared_preload_libraries'],
  ...['temp_tablespaces', 'unix_socket_directories'],
]);

/** `name=value` as the catalogue keeps it. */
function assignment(setting: string): string {
  const at = setting.indexOf('=');
  const name = setting.slice(0, at);
  const value = setting.slice(at + 1);
  // A name of an extension's setting has a dot between two identifiers.
  const quoted = name.split('.').map(escapeIdentifier).join('.');
  if (!LISTS.has(name.toLowerCase())) return `${quoted} TO ${escapeLiteral(value)}`;
  const names = [...value.matchAll(/"((?:[^"]|"")*)"|([^",\s]+)/g)].map(([, inQuotes, bare]) =>
    inQuotes === undefined ? (bare ?? '') : inQuotes.replaceAll('""', '"'),
  );
  return `${quoted} TO ${names.length === 0 ? "''" : names.map(escapeLiteral).join(', ')}`;
}
