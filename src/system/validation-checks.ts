/** Sections `checks`, `reconcile` and `objectives` against the others. Pure. */
import { reportUnknown, type Report } from './report.ts';
import { NAME_PATTERN } from './schema-parts.ts';
import type { ChecksFile, ObjectivesFile, ReconcileFile } from './validation-schema.ts';
import type { ProblemPath } from './problems.ts';

const DATABASES: readonly string[] = ['postgres', 'sqlite'];

interface ValidatedFile {
  readonly hosts?: readonly string[] | undefined;
  readonly components: Readonly<Record<string, { readonly kind: string }>>;
  readonly checks?: ChecksFile | undefined;
  readonly reconcile?: ReconcileFile | undefined;
  readonly objectives?: ObjectivesFile | undefined;
}

interface Around {
  readonly file: ValidatedFile;
  readonly components: readonly string[];
  readonly hosts: readonly string[];
  readonly report: Report;
}

export function checkValidation(
  file: ValidatedFile,
  names: { readonly components: readonly string[] },
  defaultHost: string,
  report: Report,
): void {
  const around: Around = { file, components: names.components, hosts: file.hosts ?? [defaultHost], report };
  for (const [name, check] of Object.entries(file.checks ?? {})) {
    const path = ['checks', name];
    checkEntry(path, check, ['http', 'sql', 'command'], around);
    const { sql } = check;
    if (sql === undefined) continue;
    const wanted = [sql.equals, sql.atLeast, sql.atMost, sql.notEmpty].some((wish) => wish !== undefined);
    if (!wanted)
      report([...path, 'sql'], 'nothing is wanted of the value: add `equals`, `atLeast`, `atMost` or `notEmpty`');
    const { atLeast, atMost } = sql;
    if (atLeast !== undefined && atMost !== undefined && atLeast > atMost) {
      report([...path, 'sql', 'atMost'], `no value is at least ${atLeast} and at most ${atMost}: exchange them`);
    }
  }
  for (const [name, entry] of Object.entries(file.reconcile ?? {})) {
    checkEntry(['reconcile', name], entry, ['sql', 'command'], around);
  }
  for (const name of Object.keys(file.objectives?.components ?? {})) {
    reportUnknown(['objectives', 'components', name], 'component', name, names.components, report);
  }
}

type Entry = ChecksFile[string] | ReconcileFile[string];

function checkEntry(path: ProblemPath, entry: Entry, ways: readonly string[], around: Around): void {
  const { file, components, hosts, report } = around;
  const name = String(path.at(-1));
  if (!NAME_PATTERN.test(name)) {
    report(path, `\`${name}\`: write a name of a-z, 0-9 and -, starting with a letter`, true);
  }
  const written = ways.filter((way) => entry[way as keyof Entry] !== undefined);
  if (written.length !== 1) {
    const found = written.length === 0 ? 'none of them' : written.join(' and ');
    report(path, `write one of ${ways.map((way) => `\`${way}\``).join(', ')}; here is ${found}`);
  }
  if (entry.host !== undefined) reportUnknown([...path, 'host'], 'host', entry.host, hosts, report);
  const hasPage = 'http' in entry && entry.http !== undefined;
  if (entry.service !== undefined && entry.command === undefined && !hasPage) {
    report([...path, 'service'], '`service` belongs to a page or a command: remove it');
  }
  if (entry.inDrills !== undefined && entry.command === undefined) {
    report([...path, 'inDrills'], '`inDrills` belongs to a command: remove it');
  }
  const hasProject = Object.values(file.components).some(({ kind }) => kind === 'compose');
  if (entry.service !== undefined && !hasProject) {
    report([...path, 'service'], 'a service belongs to a Compose project: add a component of the kind compose');
  }
  if (entry.service !== undefined && entry.inDrills !== undefined) {
    report([...path, 'inDrills'], 'in a drill it runs in the isolated container of its service: remove this');
  }
  if (entry.sql !== undefined) checkQuery([...path, 'sql'], entry.sql, { file, components, report });
}

function checkQuery(
  path: ProblemPath,
  sql: NonNullable<Entry['sql']>,
  { file, components, report }: Pick<Around, 'file' | 'components' | 'report'>,
): void {
  reportUnknown([...path, 'component'], 'component', sql.component, components, report);
  const kind = file.components[sql.component]?.kind;
  if (kind !== undefined && !DATABASES.includes(kind)) {
    report([...path, 'component'], `\`${sql.component}\` is of the kind ${kind}: name a postgres or sqlite component`);
  }
  if (kind === 'sqlite' && sql.database !== undefined) {
    report([...path, 'database'], 'a SQLite file is one database: remove this');
  }
}
