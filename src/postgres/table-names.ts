/** Names of tables as people write them. Pure. */
import { escapeIdentifier } from 'pg';
import { HoldfastError } from '../failures.ts';

export interface TableName {
  readonly schema: string;
  readonly name: string;
}

const PART = String.raw`(?:"((?:[^"]|"")+)"|([^."]+))`;
const NAME = new RegExp(`^(?:${PART}\\.)?${PART}$`);

/**
 * `table` in the schema public, or `schema.table`; each as it is in the catalogue, upper case kept. What holds a dot or a
 * quote is put into double quotes, as in SQL. Throws BadInput.
 */
export function parseTableName(text: string): TableName {
  const match = NAME.exec(text);
  if (match === null) {
    throw new HoldfastError(
      'BadInput',
      `\`${text}\` is no name of a table: write table, schema.table or "sch.ema"."table"`,
    );
  }
  const [, quotedSchema, schema, quotedName, name] = match;
  return { schema: plain(quotedSchema) ?? schema ?? 'public', name: plain(quotedName) ?? name ?? '' };
}

function plain(quoted: string | undefined): string | undefined {
  return quoted?.replaceAll('""', '"');
}

/** For SQL, and as a pattern of pg_dump and pg_restore that only this table matches. */
export function quotedTable({ schema, name }: TableName): string {
  return `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
}

/** For messages, and as a key. */
export function tableText({ schema, name }: TableName): string {
  return `${schema}.${name}`;
}
