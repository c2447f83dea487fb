/** Whether a server can take a dump, asked before anything is made on it. */
import { statfs } from 'node:fs/promises';
import { HoldfastError } from '../../failures.ts';
import { majorOf } from '../../postgres/host-tools.ts';
import type { PostgresAccess, ServerFacts } from '../../postgres/types.ts';
import type { Dump } from './dump.ts';

const HERE = ['127.0.0.1', '::1', 'localhost'];

/** Throws BadInput (a standby), PostgresVersion, ExtensionMissing, DiskFull. */
export async function preflight(access: PostgresAccess, dump: Dump, signal: AbortSignal): Promise<ServerFacts> {
  const server = await access.facts(signal);
  if (server.inRecovery) {
    throw new HoldfastError('BadInput', 'the server is a standby, which takes no changes', {
      hint: 'Name the primary as `server` in the system file.',
    });
  }
  if (majorNumber(dump.server.versionNumber) > majorNumber(server.versionNumber)) {
    const [theirs, own] = [dump.server.version, majorOf(server.versionNumber)];
    throw new HoldfastError('PostgresVersion', `the dump is of PostgreSQL ${theirs}, the server is of ${own}`, {
      hint: 'A dump goes into the same or a newer release: restore into another server, or upgrade this one.',
    });
  }
  const missing = await missingExtensions(access, dump, signal);
  if (missing.length > 0) {
    const names = missing.map(({ name, version }) => `${name} ${version}`).join(', ');
    throw new HoldfastError('ExtensionMissing', `the server has no extension ${names}`, { details: { missing } });
  }
  await refuseFullDisk(access, dump, signal);
  return server;
}

/** What pg_restore would find out at the end of the data only. Throws PostgresDenied. */
export async function refuseForeignOwners(access: PostgresAccess, dump: Dump, signal: AbortSignal): Promise<void> {
  const owners = dump.databases.flatMap(({ facts }) => facts.owners);
  const { rows } = await access.withClient({ signal }, (client) =>
    client.query<{ name: string; superuser: boolean }>(
      `SELECT rolname AS name, rolsuper AS superuser FROM pg_roles
        WHERE rolname = ANY ($1) AND NOT pg_has_role(oid, 'MEMBER') ORDER BY 1`,
      [[...new Set(owners)]],
    ),
  );
  const [first] = rows;
  if (first === undefined) return;
  const named = rows.map(({ name }) => name).join(', ');
  const { user } = access;
  const hint = rows.some(({ superuser }) => superuser)
    ? `${first.name} is a superuser: let one restore (\`restore\` of the server in the system file), or give what it owns to an ordinary role and take a new backup.`
    : 'Run what `holdfast grants` prints for this component again.';
  throw new HoldfastError('PostgresDenied', `${user} may give nothing to ${named}, who own what is in the backup`, {
    hint,
  });
}

function majorNumber(versionNumber: number): number {
  return Math.floor(versionNumber / 10_000);
}

/** Extensions of the dump that the server's host has not installed, in any version. */
async function missingExtensions(
  access: PostgresAccess,
  { databases }: Dump,
  signal: AbortSignal,
): Promise<{ name: string; version: string }[]> {
  const wanted = new Map(
    databases.flatMap(({ facts }) => facts.extensions.map(({ name, version }) => [name, version] as const)),
  );
  const { rows } = await access.withClient({ signal }, (client) =>
    client.query<{ name: string }>('SELECT name FROM pg_available_extensions'),
  );
  const there = new Set(rows.map(({ name }) => name));
  return [...wanted].filter(([name]) => !there.has(name)).map(([name, version]) => ({ name, version }));
}

/** Where the server's disk can be seen from here: a restored database is hardly ever smaller than its dump. */
async function refuseFullDisk(access: PostgresAccess, dump: Dump, signal: AbortSignal): Promise<void> {
  const { address = '127.0.0.1', tools } = access.server;
  if (tools.kind !== 'host' || (!HERE.includes(address) && !address.startsWith('/'))) return;
  const directory = await dataDirectory(access, signal);
  const disk = directory === undefined ? undefined : await statfs(directory).catch(() => undefined);
  if (directory === undefined || disk === undefined) return;
  const freeBytes = disk.bavail * disk.bsize;
  if (freeBytes >= dump.lengthBytes) return;
  throw new HoldfastError(
    'DiskFull',
    `the dump has ${dump.lengthBytes} bytes, and ${freeBytes} are free for the server in ${directory}`,
  );
}

/** Only some roles may know it. */
async function dataDirectory(access: PostgresAccess, signal: AbortSignal): Promise<string | undefined> {
  const { rows } = await access.withClient({ signal }, (client) =>
    client.query<{ setting: string }>("SELECT setting FROM pg_settings WHERE name = 'data_directory'"),
  );
  return rows[0]?.setting;
}
