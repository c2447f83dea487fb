/** All checks of what a restore made, by the facts of the backup and by the system file. */
import { parseTableName, tableText } from '../../postgres/table-names.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { PostgresDumpComponent } from '../../system/types.ts';
import type { CheckReport, KindContext } from '../kinds/component.ts';
import { searchPathOf } from './database-properties.ts';
import { checkAssertion, checkDatabase, checkRequired } from './database-checks.ts';
import type { DumpRestoreRecord } from './restore-record.ts';

type Check = CheckReport['checks'][number];

export async function checkRestored(
  component: PostgresDumpComponent,
  access: PostgresAccess,
  record: DumpRestoreRecord,
  context: KindContext,
): Promise<CheckReport> {
  const { signal, report } = context;
  const checks: Check[] = [];
  for (const { facts, beside } of record.databases) {
    checks.push(...(await checkDatabase(access, { facts, database: beside, signal, report })));
  }
  const databases = record.databases.map(({ facts, beside }) => ({ name: facts.name, database: beside }));
  const requiredTables = requiredOf(component, record);
  checks.push(...(await checkRequired(access, { requiredTables, databases }, signal)));
  checks.push(...(await assertions(component, access, record, signal)));
  if (record.told.length > 0)
    checks.push({ name: 'otherwise than captured', ok: true, detail: record.told.join('; ') });
  return { ok: checks.every(({ ok }) => ok), checks };
}

/** A part of a backup can lack what the whole must have. */
function requiredOf(
  { checks }: PostgresDumpComponent,
  { databases, whole }: DumpRestoreRecord,
): { schema: string; name: string; rows: number }[] {
  const names = [...new Set([...checks.requiredTables, ...Object.keys(checks.minimumRows)])];
  const captured = new Set(databases.flatMap(({ facts }) => facts.tables.map(tableText)));
  return names
    .map((name) => ({ ...parseTableName(name), rows: checks.minimumRows[name] ?? 0 }))
    .filter((table) => whole || captured.has(tableText(table)));
}

async function assertions(
  component: PostgresDumpComponent,
  access: PostgresAccess,
  { databases, selectedTables }: DumpRestoreRecord,
  signal: AbortSignal,
): Promise<Check[]> {
  const [first] = databases;
  const usual = databases.length === 1 && first !== undefined ? first.facts.name : component.server.maintenanceDatabase;
  const checks: Check[] = [];
  for (const assertion of component.checks.assertions) {
    const wanted = assertion.database ?? usual;
    const found = databases.find(({ facts }) => facts.name === wanted);
    if (found === undefined || selectedTables.length > 0) {
      const why = found === undefined ? `${wanted} is not restored` : 'only some tables are restored';
      checks.push({ name: assertion.name, ok: true, detail: `not asked: ${why}` });
    } else {
      const where = { database: found.beside, searchPath: searchPathOf(found.facts.properties) };
      checks.push(await checkAssertion(access, assertion, where, signal));
    }
  }
  return checks;
}
