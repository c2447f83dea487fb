/** A real PostgreSQL on the host, as a package of the distribution runs it: in a directory of its own, gone at the end. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { postmasterOf } from '../../src/postgres/pid-file.ts';
import { takeBack } from '../../test/postgres/cluster-component.ts';
import { startPostgres } from '../../test/support/postgres.ts';
import type { PostgresServer, Settings } from '../../test/support/postgres.ts';
import type { Stage } from './example.ts';
import type { Operator } from './operator.ts';
import { secretAt } from './stack.ts';

export async function hostPostgres(stage: Stage, settings: Settings = {}): Promise<PostgresServer> {
  const server = await startPostgres({ passwords: true, settings });
  stage.cleanup.add(async () => {
    // What a restore started again is nobody's child.
    if (!server.isRunning() && (await postmasterOf(server.data)) !== undefined) await takeBack(server);
    await server.dispose();
  });
  return server;
}

/** By the server's own clock, RFC 3339. */
export async function timeOf(server: PostgresServer): Promise<string> {
  const at = `to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
  return String(await server.value(`SELECT ${at}`));
}

/** A password for a role, and where the system file looks for it. */
export async function roleSecret(stage: Stage, path: string): Promise<string> {
  const password = randomBytes(18).toString('base64url');
  await secretAt(stage, path, password);
  return password;
}

/** Makes the roles that `holdfast grants` prints for components, as their superuser, and gives them their passwords. */
export async function grantRoles(
  server: PostgresServer,
  operator: Operator,
  { system, components }: { readonly system: string; readonly components: readonly string[] },
  passwords: Readonly<Record<string, string>>,
): Promise<void> {
  for (const component of components) {
    const { code, stdout, stderr } = await operator.run('grants', system, component);
    if (code !== 0) throw new Error(`holdfast grants: ${stderr}`);
    const script = join(server.base, 'grants.sql');
    await writeFile(script, stdout);
    await server.tool('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', script]);
  }
  for (const [role, password] of Object.entries(passwords)) {
    await server.sql(`ALTER ROLE ${role} LOGIN PASSWORD '${password}'`);
  }
}
