/** The shape of a PostgreSQL component in a system file. */
import { z } from 'zod';
import { databaseChecks } from './database-checks.ts';
import { absolutePath, base, count, duration, secret, text } from './schema-parts.ts';

export const POSTGRES_DEFAULTS = {
  method: 'dump',
  port: 5432,
  tls: 'disable',
  maintenanceDatabase: 'postgres',
  jobs: 2,
  walMode: 'stream',
  streamEvery: '5s',
  archiveEvery: '60s',
  slotBound: '8GiB',
} as const;

export const SIZE_PATTERN = /^[1-9][0-9]*(MiB|GiB|TiB)$/;

const size = (what: string) => z.string().regex(SIZE_PATTERN, 'write a size such as 512MiB or 8GiB').describe(what);

const login = z.strictObject({
  user: text('The role.'),
  password: secret('Absent: peer, trust or a certificate, as pg_hba.conf has it.').optional(),
});

const server = z
  .strictObject({
    address: text(
      'A name, an IP address or the directory of a Unix socket. Default: the container, else 127.0.0.1.',
    ).optional(),
    port: z.int('write a whole number').min(1).max(65_535).describe(`Default ${POSTGRES_DEFAULTS.port}.`).optional(),
    tls: z.enum(['disable', 'require', 'verify-full']).describe(`Default ${POSTGRES_DEFAULTS.tls}.`).optional(),
    caFile: absolutePath('A certificate authority for `verify-full`.').optional(),
    maintenanceDatabase: text(`Default ${POSTGRES_DEFAULTS.maintenanceDatabase}.`).optional(),
    container: text('The container that runs the server; its own tools are used.').optional(),
    service: text('The Compose service that runs the server; its own tools are used.').optional(),
    project: text("The Compose project of `service`. Default: that of the system's compose component.").optional(),
    tools: absolutePath('The directory of pg_dump and the others on the host. Default: found by release.').optional(),
    backup: login.describe('The role that captures; `holdfast grants` prints the least rights it needs.'),
    restore: login.describe('The role that restores. Default: the backup role.').optional(),
  })
  .describe('Where the server is and who may read it.');

const wal = z
  .strictObject({
    mode: z
      .enum(['stream', 'archive'])
      .describe('`stream` by a replication slot, `archive` from a directory that archive_command fills.')
      .optional(),
    slot: z
      .string()
      .regex(/^[a-z0-9_]{1,63}$/, 'write a slot name of a-z, 0-9 and _, at most 63 characters')
      .describe('Default: holdfast_<component>.')
      .optional(),
    archiveDirectory: absolutePath('For `archive`.').optional(),
    every: duration(
      'How often what has come is stored. Default 5s for a stream, 60s for an archive directory.',
    ).optional(),
    slotBound: size(`The most WAL the slot may hold back. Default ${POSTGRES_DEFAULTS.slotBound}.`).optional(),
    store: text('The store that takes the WAL.'),
  })
  .describe('Continuous write-ahead log, for point-in-time recovery.');

export const postgresComponent = z.strictObject({
  kind: z.literal('postgres'),
  method: z
    .enum(['dump', 'base'])
    .describe('`dump`: pg_dump, one or several databases. `base`: pg_basebackup, the whole cluster. Default dump.')
    .optional(),
  server,
  databases: z.array(text('A database.')).describe('Default: all of the server. For `dump`.').optional(),
  tables: z
    .array(text('`table` or `schema.table`.'))
    .min(1)
    .describe('Only these, of one database. For `dump`.')
    .optional(),
  tableChecksums: z.boolean().describe('Count and check each table in the same snapshot. Default true.').optional(),
  jobs: count(`Databases dumped or restored at the same time. Default ${POSTGRES_DEFAULTS.jobs}.`).optional(),
  dataDirectory: absolutePath(
    'Where the server keeps its data on this host. For `base`, restored in place.',
  ).optional(),
  wal: wal.optional(),
  checks: databaseChecks.optional(),
  usedBy: z
    .array(z.string().min(1))
    .describe('Compose services or containers to stop while a restore swaps the database in.')
    .optional(),
  ...base,
});
