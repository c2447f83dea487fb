/** What PostgreSQL knows of a table whose rows are to be put back. */
import { escapeIdentifier, type Client } from 'pg';
import { HoldfastError } from '../../failures.ts';
import { nameParts } from '../../policy/sql-condition.ts';

export interface KeyColumn {
  readonly column: string;
  /** The operator of the key's own index, with its schema: citext and the like have their own. */
  readonly equals: string;
}

export interface UniqueKey {
  readonly name: string;
  readonly primary: boolean;
  readonly columns: readonly KeyColumn[];
}

export interface PgForeignKey {
  readonly name: string;
  readonly parentOid: string;
  /** For SQL and for people. */
  readonly parent: string;
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** Parent column = own column. */
  readonly equals: readonly string[];
}

export interface PgColumn {
  readonly name: string;
  readonly type: string;
  readonly notNull: boolean;
  readonly generated: boolean;
}

export interface PgTable {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly partitioned: boolean;
  readonly columns: readonly PgColumn[];
  readonly uniques: readonly UniqueKey[];
  /** Partial, computed, or exclusion constraints: obeyed, and not foreseen. */
  readonly hidden: readonly string[];
  readonly foreignKeys: readonly PgForeignKey[];
  readonly triggers: readonly string[];
}

export function sqlName({ schema, name }: Pick<PgTable, 'schema' | 'name'>): string {
  return `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
}

/** For FROM: without the rows of tables that inherit, which are in tables of their own. */
export function fromTable(table: PgTable): string {
  return table.partitioned ? sqlName(table) : `ONLY ${sqlName(table)}`;
}

export function textName({ schema, name }: Pick<PgTable, 'schema' | 'name'>): string {
  return schema === 'public' ? name : `${schema}.${name}`;
}

/** As typed: exactly, else in lower case as SQL would read it. Undefined when there is none. Throws BadInput for a view. */
export async function pgTable(client: Client, asked: string): Promise<PgTable | undefined> {
  const parts = nameParts(asked);
  const [schema, name] = parts.length > 1 ? [parts[0] ?? '', parts[1] ?? ''] : ['public', parts[0] ?? ''];
  const { rows } = await client.query<{ oid: string; schema: string; name: string; kind: string }>(
    `SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE (n.nspname, c.relname) IN (($1::text, $2::text), (lower($1), lower($2))) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      ORDER BY c.relname = $2 DESC LIMIT 1`,
    [schema, name],
  );
  const [found] = rows;
  if (found === undefined) return undefined;
  if (found.kind !== 'r' && found.kind !== 'p') {
    throw new HoldfastError('BadInput', `${asked} is a view or a foreign table: only tables have rows to put back`);
  }
  const { oid } = found;
  return {
    oid,
    schema: found.schema,
    name: found.name,
    partitioned: found.kind === 'p',
    columns: await columnsOf(client, oid),
    ...(await indexesOf(client, oid)),
    foreignKeys: await foreignKeysOf(client, oid),
    triggers: await triggersOf(client, oid),
  };
}

async function columnsOf(client: Client, oid: string): Promise<PgColumn[]> {
  const { rows } = await client.query<PgColumn>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS "notNull",
            attgenerated <> '' AS generated
       FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [oid],
  );
  return rows;
}

async function indexesOf(client: Client, oid: string): Promise<Pick<PgTable, 'uniques' | 'hidden'>> {
  const { rows } = await client.query<{
    name: string;
    primary: boolean;
    plain: boolean;
    columns: string[];
    equals: string[];
  }>(
    `SELECT c.relname AS name, i.indisprimary AS primary,
            i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indimmediate AS plain,
            array_agg(a.attname::text ORDER BY k.place) AS columns,
            array_agg(coalesce('OPERATOR(' || quote_ident(n.nspname) || '.' || o.oprname || ')', '=') ORDER BY k.place) AS equals
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
       CROSS JOIN LATERAL (SELECT row_number() OVER () AS place, * FROM unnest(i.indkey::int2[], i.indclass::oid[]) AS u (attnum, opclass)) k
       LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
       LEFT JOIN pg_opclass oc ON oc.oid = k.opclass
       LEFT JOIN pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amoplefttype = oc.opcintype
             AND ao.amoprighttype = oc.opcintype AND ao.amopstrategy = 3
       LEFT JOIN pg_operator o ON o.oid = ao.amopopr LEFT JOIN pg_namespace n ON n.oid = o.oprnamespace
      WHERE i.indrelid = $1 AND (i.indisunique OR i.indisexclusion) AND i.indisvalid AND k.place <= i.indnkeyatts
      GROUP BY c.relname, i.indexrelid, i.indisprimary, i.indisunique, i.indimmediate, (i.indpred IS NULL), (i.indexprs IS NULL)
      ORDER BY i.indisprimary DESC, c.relname`,
    [oid],
  );
  return {
    uniques: rows
      .filter(({ plain }) => plain)
      .map(({ name, primary, columns, equals }) => ({
        name,
        primary,
        columns: columns.map((column, at) => ({ column, equals: equals[at] ?? '=' })),
      })),
    hidden: rows.filter(({ plain }) => !plain).map(({ name }) => name),
  };
}

async function foreignKeysOf(client: Client, oid: string): Promise<PgForeignKey[]> {
  const { rows } = await client.query<PgForeignKey & { schema: string; table: string }>(
    `SELECT con.conname AS name, con.confrelid::text AS "parentOid", n.nspname AS schema, p.relname AS table,
            array_agg(a.attname::text ORDER BY k.place) AS "from", array_agg(b.attname::text ORDER BY k.place) AS "to",
            array_agg('OPERATOR(' || quote_ident(opn.nspname) || '.' || o.oprname || ')' ORDER BY k.place) AS equals
       FROM pg_constraint con JOIN pg_class p ON p.oid = con.confrelid JOIN pg_namespace n ON n.oid = p.relnamespace
       CROSS JOIN LATERAL (SELECT row_number() OVER () AS place, *
                             FROM unnest(con.conkey, con.confkey, con.conpfeqop) AS u (own, other, operator)) k
       JOIN pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.own
       JOIN pg_attribute b ON b.attrelid = con.confrelid AND b.attnum = k.other
       JOIN pg_operator o ON o.oid = k.operator JOIN pg_namespace opn ON opn.oid = o.oprnamespace
      WHERE con.conrelid = $1 AND con.contype = 'f' AND con.conparentid = 0
      GROUP BY con.oid, con.conname, con.confrelid, n.nspname, p.relname ORDER BY con.conname`,
    [oid],
  );
  return rows.map(({ schema, table, ...key }) => ({ ...key, parent: sqlName({ schema, name: table }) }));
}

async function triggersOf(client: Client, oid: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT tgname AS name FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal AND tgenabled <> 'D' ORDER BY 1`,
    [oid],
  );
  return rows.map(({ name }) => name);
}
