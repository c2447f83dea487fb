/** What was captured, read back through the server's own pg_restore and put beside what was counted. */
import type { ArtifactReader } from '../../part.ts';
import { parseTableName, tableText } from '../../postgres/table-names.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { PostgresDumpComponent } from '../../system/types.ts';
import { whenSpent } from '../postgres/spent.ts';
import type { CheckReport, KindContext } from './component.ts';
import { readDumpFacts } from './postgres-dump-facts.ts';
import type { DatabaseFacts } from './postgres-dump-facts.ts';
import { DumpReader } from './postgres-dump-read.ts';
import type { DumpReading } from './postgres-dump-read.ts';

export type Check = CheckReport['checks'][number];

const MISSING_TOLD = 10;

/** Reads every dump to its end: a list of contents alone says nothing of what follows it. */
export async function checkDumps(
  component: PostgresDumpComponent,
  artifacts: readonly ArtifactReader[],
  access: PostgresAccess,
  context: KindContext,
): Promise<CheckReport> {
  const facts = await readDumpFacts(artifacts, context.signal);
  const checks: Check[] = [];
  for (const database of facts.databases) {
    const artifact = artifacts.find(({ name }) => name === database.artifact);
    if (artifact === undefined || artifact.lengthBytes === 0) {
      checks.push({ name: `dump of ${database.name}`, ok: false, detail: `${database.artifact} is missing or empty` });
      continue;
    }
    checks.push(...judgeDump(database, artifact.lengthBytes, await readBack(database, artifact, access, context)));
  }
  checks.push(...requiredTables(component, facts.databases));
  return { ok: checks.every(({ ok }) => ok), checks };
}

async function readBack(
  { name }: DatabaseFacts,
  artifact: ArtifactReader,
  access: PostgresAccess,
  { signal, report }: KindContext,
): Promise<DumpReading> {
  const reader = new DumpReader(access, signal);
  const free = whenSpent(access);
  let bytesDone = 0;
  try {
    for await (const bytes of artifact.read({ signal })) {
      bytesDone += bytes.length;
      await reader.give(bytes);
      free(bytes);
      report({ phase: `read back ${name}`, bytesDone, bytesTotal: artifact.lengthBytes });
    }
    return await reader.end();
  } finally {
    await reader.stop();
  }
}

/** What pg_restore made of a dump, beside what was counted when it was taken. */
export function judgeDump(facts: DatabaseFacts, bytes: number, { problem, list }: DumpReading): Check[] {
  const detail = problem === undefined ? `pg_restore read ${bytes} bytes to their end` : problem.message;
  const read = { name: `read ${facts.name}`, ok: problem === undefined, detail };
  return list === undefined ? [read] : [read, compare(`contents of ${facts.name}`, facts, list)];
}

/** Pure. The list is in the encoding of the dump: names are looked for as UTF-8 and as single bytes. */
export function compare(about: string, facts: DatabaseFacts, list: Buffer): Check {
  const entries = new Set<string>();
  for (const encoding of ['utf8', 'latin1'] as const) {
    for (const line of list.toString(encoding).split('\n')) {
      const [, entry] = /^\d+; \d+ \d+ (.+)$/.exec(line) ?? [];
      if (entry !== undefined) entries.add(entry);
    }
  }
  const lines = [...entries];
  const has = (start: string): boolean => lines.some((line) => line.startsWith(`${start} `));
  // Only names that every encoding writes alike can be compared in all of them.
  const comparable = facts.tables.filter(
    (table) => ['UTF8', 'LATIN1'].includes(facts.encoding) || /^[ -~]*$/.test(tableText(table)),
  );
  const missing = comparable.filter(({ schema, name, rows }) => {
    const table = `${oneLine(schema)} ${oneLine(name)}`;
    return !has(`TABLE ${table}`) || (rows !== undefined && !has(`TABLE DATA ${table}`));
  });
  if (missing.length > 0) {
    const names = missing.slice(0, MISSING_TOLD).map(tableText).join(', ');
    return { name: about, ok: false, detail: `the dump lacks ${missing.length} tables: ${names}` };
  }
  if (facts.largeObjects > 0 && !lines.some((line) => /^BLOBS? /.test(line))) {
    return { name: about, ok: false, detail: `the dump lacks ${facts.largeObjects} large objects` };
  }
  return { name: about, ok: true, detail: `${facts.tables.length} tables, ${facts.largeObjects} large objects` };
}

/** As pg_restore writes names into its list. */
function oneLine(name: string): string {
  return name.replaceAll(/[\r\n]/g, ' ');
}

/** A required table may be in any of the databases. */
export function requiredTables(component: PostgresDumpComponent, databases: readonly DatabaseFacts[]): Check[] {
  const { requiredTables: required, minimumRows } = component.checks;
  return [...new Set([...required, ...Object.keys(minimumRows)])].map((text) => {
    const wanted = tableText(parseTableName(text));
    const holder = databases.find(({ tables }) => tables.some((table) => tableText(table) === wanted));
    return holder === undefined
      ? { name: `table ${text}`, ok: false, detail: 'is in none of the databases' }
      : { name: `table ${text}`, ok: true, detail: `in ${holder.name}` };
  });
}
