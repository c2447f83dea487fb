/** What the schema of a PostgreSQL component can't say. Pure. */
import type { z } from 'zod';
import { durationSeconds } from './durations.ts';
import type { postgresComponent } from './postgres-schema.ts';
import type { ProblemPath } from './problems.ts';
import type { Report } from './report.ts';

type PostgresFile = z.output<typeof postgresComponent>;
const DUMP_ONLY = ['databases', 'tables', 'tableChecksums', 'jobs'] as const;
const BASE_ONLY = ['dataDirectory', 'wal'] as const;
/** The longest an archive directory may wait (row T1: the log at least every 15 minutes). */
const MOST_EVERY_SECONDS = 900;

/** `hasProject`: the system has a compose component that a `service` can belong to. */
export function checkPostgres(path: ProblemPath, file: PostgresFile, hasProject: boolean, report: Report): void {
  const method = file.method ?? 'dump';
  for (const key of method === 'dump' ? BASE_ONLY : DUMP_ONLY) {
    if (file[key] === undefined) continue;
    const other = method === 'dump' ? 'base' : 'dump';
    report([...path, key], `\`${key}\` belongs to \`method: ${other}\`: remove it, or change the method`, true);
  }
  if (file.tables !== undefined && file.databases?.length !== 1) {
    report([...path, 'tables'], '`tables` are of one database: name it, such as `databases: [app]`');
  }
  checkServer([...path, 'server'], file.server, hasProject, report);
  if (file.wal !== undefined) checkWal([...path, 'wal'], file, report);
}

function checkServer(path: ProblemPath, server: PostgresFile['server'], hasProject: boolean, report: Report): void {
  const places = (['container', 'service', 'tools'] as const).filter((key) => server[key] !== undefined);
  if (places.length > 1) {
    report(path, `${places.map((key) => `\`${key}\``).join(' and ')} say where the tools are: keep one of them`);
  }
  if (server.service !== undefined && server.project === undefined && !hasProject) {
    report([...path, 'service'], '`service` needs `project`: there is no compose component to take it from');
  }
  if (server.tls === 'verify-full' && server.address?.startsWith('/') === true) {
    report([...path, 'tls'], 'a Unix socket has no TLS: remove `tls`, or write a name as the address');
  }
}

function checkWal(path: ProblemPath, file: PostgresFile, report: Report): void {
  const { wal } = file;
  if (wal?.mode === 'archive' && wal.archiveDirectory === undefined) {
    report(path, '`mode: archive` needs `archiveDirectory`, which archive_command fills');
  }
  if (wal?.mode !== 'archive' && wal?.archiveDirectory !== undefined) {
    report([...path, 'archiveDirectory'], '`archiveDirectory` belongs to `mode: archive`', true);
  }
  if (wal?.every !== undefined && durationSeconds(wal.every) > MOST_EVERY_SECONDS) {
    report([...path, 'every'], `\`${wal.every}\` is longer than 15m: write a shorter time`);
  }
}
