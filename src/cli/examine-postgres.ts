/** Whether a PostgreSQL server can be captured: reachable, tools, rights, settings. Nothing of it is read or changed. */
import type { DockerHost } from '../docker/types.ts';
import { formatBytes, formatCount } from '../observe/format.ts';
import { judgeServer } from '../postgres/judge.ts';
import { lookAtServer } from '../postgres/look.ts';
import type { ServerLook } from '../postgres/look.ts';
import { openPostgres } from '../postgres/open.ts';
import type { PostgresAccess } from '../postgres/types.ts';
import type { PostgresComponent } from '../system/types.ts';
import { failed, ok, type Finding } from './examination.ts';

const LIMIT_MS = 60_000;
const TOOLS = {
  dump: ['pg_dump', 'pg_dumpall', 'pg_restore'],
  base: ['pg_basebackup', 'pg_verifybackup'],
} as const;

/** Goes on after a bad finding, as far as the server is reachable. */
export async function examinePostgres(
  what: string,
  component: PostgresComponent,
  docker: DockerHost,
): Promise<Finding[]> {
  const signal = AbortSignal.timeout(LIMIT_MS);
  const access = await openPostgres(component.server, 'backup', { docker: () => docker });
  try {
    const look = await lookAtServer(access, component, signal);
    const findings: Finding[] = [ok(what, summary(component, look))];
    for (const tool of TOOLS[component.method]) findings.push(...(await examineTool(what, tool, access, signal)));
    if (component.method === 'base') findings.push(...(await examineReplication(what, access, signal)));
    if (component.server.restore !== undefined)
      findings.push(...(await examineRestoreRole(what, component, docker, signal)));
    return [...findings, ...judgeServer(component, look).map((found) => ({ what, ...found }))];
  } finally {
    await access.close();
  }
}

function summary(component: PostgresComponent, { facts, databases }: ServerLook): string {
  const standby = facts.inRecovery ? ', a standby' : '';
  const size = databases.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const held =
    component.method === 'dump' ? `, ${formatCount(databases.length, 'database')} of ${formatBytes(size)}` : '';
  return `PostgreSQL ${facts.version}${standby}${held}, as ${component.server.backup.user}`;
}

async function examineTool(
  what: string,
  tool: string,
  access: PostgresAccess,
  signal: AbortSignal,
): Promise<Finding[]> {
  try {
    await access.text(tool, ['--version'], { signal });
    return [];
  } catch (error) {
    return [failed(`${what}: ${tool}`, error)];
  }
}

/** pg_hba.conf has lines of its own for replication: only trying it tells. */
async function examineReplication(what: string, access: PostgresAccess, signal: AbortSignal): Promise<Finding[]> {
  try {
    await access.text('psql', ['-XAt', '--dbname=replication=true', '--command=IDENTIFY_SYSTEM'], { signal });
    return [];
  } catch (error) {
    const finding = failed(`${what}: replication`, error);
    return [
      {
        ...finding,
        doThis: 'Add a line for the database `replication` to pg_hba.conf, and run what `holdfast grants` prints.',
      },
    ];
  }
}

async function examineRestoreRole(
  what: string,
  component: PostgresComponent,
  docker: DockerHost,
  signal: AbortSignal,
): Promise<Finding[]> {
  try {
    const access = await openPostgres(component.server, 'restore', { docker: () => docker });
    await access.facts(signal).finally(() => access.close());
    return [];
  } catch (error) {
    return [failed(`${what}: the role that restores`, error)];
  }
}
