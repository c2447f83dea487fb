/** From a PostgreSQL component as written to the component as used. Pure. */
import type { z } from 'zod';
import { buildDatabaseChecks } from './database-checks.ts';
import { durationSeconds } from './durations.ts';
import { POSTGRES_DEFAULTS, type postgresComponent } from './postgres-schema.ts';
import type {
  PostgresBaseSettings,
  PostgresDumpSettings,
  PostgresServer,
  PostgresTools,
  PostgresWal,
} from './postgres-types.ts';
import { present } from './present.ts';

type PostgresFile = z.output<typeof postgresComponent>;

const UNIT_BYTES: Readonly<Record<string, number>> = { MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** `project` is the Compose project of the system, for a `service` that names none. */
export function buildPostgres(
  name: string,
  file: PostgresFile,
  project: string | undefined,
): PostgresDumpSettings | PostgresBaseSettings {
  const shared = {
    kind: 'postgres',
    server: buildServer(file.server, project),
    checks: buildDatabaseChecks(file.checks),
    usedBy: file.usedBy ?? [],
  } as const;
  if (file.method === 'base') {
    return {
      ...shared,
      method: 'base',
      ...present({ dataDirectory: file.dataDirectory }),
      ...(file.wal === undefined ? {} : { wal: buildWal(name, file.wal) }),
    };
  }
  return {
    ...shared,
    method: 'dump',
    databases: file.databases ?? [],
    tables: file.tables ?? [],
    tableChecksums: file.tableChecksums ?? true,
    jobs: file.jobs ?? POSTGRES_DEFAULTS.jobs,
  };
}

function buildServer(file: PostgresFile['server'], project: string | undefined): PostgresServer {
  const tools = buildTools(file, project);
  const address = file.address ?? (tools.kind === 'host' ? '127.0.0.1' : undefined);
  return {
    ...present({ address, caFile: file.caFile }),
    port: file.port ?? POSTGRES_DEFAULTS.port,
    tls: file.tls ?? POSTGRES_DEFAULTS.tls,
    maintenanceDatabase: file.maintenanceDatabase ?? POSTGRES_DEFAULTS.maintenanceDatabase,
    tools,
    backup: present(file.backup),
    ...(file.restore === undefined ? {} : { restore: present(file.restore) }),
  };
}

function buildTools(file: PostgresFile['server'], project: string | undefined): PostgresTools {
  if (file.container !== undefined) return { kind: 'container', container: file.container };
  if (file.service !== undefined) {
    return { kind: 'service', project: file.project ?? project ?? '', service: file.service };
  }
  return { kind: 'host', ...present({ directory: file.tools }) };
}

function buildWal(name: string, file: NonNullable<PostgresFile['wal']>): PostgresWal {
  const mode = file.mode ?? POSTGRES_DEFAULTS.walMode;
  const every = mode === 'stream' ? POSTGRES_DEFAULTS.streamEvery : POSTGRES_DEFAULTS.archiveEvery;
  return {
    mode,
    slot: file.slot ?? usualSlot(name),
    ...present({ archiveDirectory: file.archiveDirectory }),
    everySeconds: durationSeconds(file.every ?? every),
    slotBoundBytes: sizeBytes(file.slotBound ?? POSTGRES_DEFAULTS.slotBound),
    store: file.store,
  };
}

/** `8GiB` in bytes; the schema has checked the shape. */
export function sizeBytes(size: string): number {
  return Number.parseInt(size, 10) * (UNIT_BYTES[size.slice(-3)] ?? 1);
}

/** What the slot of a component's log is called unless the file names another. */
export function usualSlot(component: string): string {
  return `holdfast_${component.replaceAll('-', '_')}`.slice(0, 63);
}
