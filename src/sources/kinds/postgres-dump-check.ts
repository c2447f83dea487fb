/** What was captured, read back through the server's own pg_restore and put beside what was counted. */
import { HoldfastError } from '../../failures.ts';
import type { ArtifactReader } from '../../part.ts';
import { parseTableName, tableText } from '../../postgres/table-names.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { PostgresDumpComponent } from '../../system/types.ts';
import type { CheckReport, KindContext } from './component.ts';
import { readDumpFacts } from './postgres-dump-facts.ts';
import type { DatabaseFacts } from './postgres-dump-facts.ts';

type Check = CheckReport['checks'][number];

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
    context.report({ phase: `read back ${database.name}`, bytesTotal: artifact.lengthBytes });
    checks.push(await readThrough(database, artifact, access, context));
    checks.push(await compareContents(database, artifact, access, context));
  }
  checks.push(...requiredTables(component, facts.databases));
  return { ok: checks.every(({ ok }) => ok), checks };
}

async function readThrough(
  { name }: DatabaseFacts,
  artifact: ArtifactReader,
  access: PostgresAccess,
  { signal }: KindContext,
): Promise<Check> {
  const about = `read ${name}`;
  try {
    await access.text('pg_restore', ['--file=/dev/null'], { signal, stdin: artifact.read({ signal }) });
    return { name: about, ok: true, detail: `pg_restore read ${artifact.lengthBytes} bytes to their end` };
  } catch (error) {
    return judged(about, error, signal);
  }
}

async function compareContents(
  facts: DatabaseFacts,
  artifact: ArtifactReader,
  access: PostgresAccess,
  { signal }: KindContext,
): Promise<Check> {
  const about = `contents of ${facts.name}`;
  try {
    const run = await access.run('pg_restore', ['--list'], { signal, stdin: artifact.read({ signal }) });
    const pieces: Uint8Array[] = [];
    for await (const bytes of run.stdout) pieces.push(bytes);
    await run.done;
    return compare(about, facts, Buffer.concat(pieces));
  } catch (error) {
    return judged(about, error, signal);
  }
}

/** What the dump itself is to blame for is a verdict; a server that is away is not. */
function judged(name: string, error: unknown, signal: AbortSignal): Check {
  signal.throwIfAborted();
  if (!(error instanceof HoldfastError) || error.code !== 'PostgresToolFailed') throw error;
  return { name, ok: false, detail: error.message };
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
