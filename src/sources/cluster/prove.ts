/** A restored cluster is started privately, recovers, is examined, and stopped again, ready to be taken into use. */
import { chown, lstat, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import { parseRecoveryTarget } from '../../policy/recovery-target.ts';
import type { RecoveryTarget } from '../../policy/recovery-target.ts';
import { withPrivateServer } from '../../postgres/private-server.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import type { Beside, CheckReport, KindContext } from '../kinds/component.ts';
import { examineCluster } from './examine.ts';
import { announceTimeline, endedTooEarly, endRecovery, orderRecovery } from './recovery.ts';
import { COPY, programsFor, replacementOf } from './restore.ts';
import type { Expected } from './restore.ts';

type Check = CheckReport['checks'][number];

/** Little enough to stand beside a production server. Connections come when recovery is over. */
const SETTINGS = { hot_standby: false, shared_buffers: '128MB', max_connections: 20 } as const;

/** Repeatable: a cluster that has recovered is examined again. What PostgreSQL refuses is a verdict, in its own words. */
export async function proveCluster(
  component: PostgresBaseComponent,
  beside: Beside,
  context: KindContext,
): Promise<CheckReport> {
  const record = await replacementOf(component, beside.restoreId, context).known();
  const cluster: Cluster = {
    component,
    directory: record.elsewhere ?? join(record.work, COPY),
    expected: record.expected as Expected,
    neverArchive: record.elsewhere !== null,
  };
  try {
    const checks = await recoverToTarget(cluster, context);
    await endRecovery(cluster.directory, cluster.neverArchive);
    const told = cluster.neverArchive ? undefined : await announceTimeline(cluster.directory);
    await keepOwner(cluster.directory, told);
    if (record.elsewhere === null) checks.push(...(await linkedLog(record.live)));
    return { ok: checks.every(({ ok }) => ok), checks };
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof HoldfastError) || error.code !== 'CheckFailed') throw error;
    return { ok: false, checks: [{ name: 'recovery', ok: false, detail: error.message }] };
  }
}

/** A backup holds the log in the directory itself, wherever the server kept it. */
async function linkedLog(live: string): Promise<Check[]> {
  try {
    const place = await readlink(join(live, 'pg_wal'));
    const detail = `pg_wal of the live cluster is a link to ${place}; in the restored one it is a directory`;
    return [{ name: 'pg_wal', ok: true, detail }];
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EINVAL' || code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

interface Cluster {
  readonly component: PostgresBaseComponent;
  readonly directory: string;
  readonly expected: Expected;
  readonly neverArchive: boolean;
}

/**
 * PostgreSQL sees that it has come past a time by the next transaction only. In a quiet database none may have followed:
 * when the log is known to be held for longer than that time, its end is the state at that time.
 */
async function recoverToTarget(cluster: Cluster, context: KindContext): Promise<Check[]> {
  const { expected, directory, neverArchive } = cluster;
  try {
    return await recover(cluster, context);
  } catch (error) {
    const target = expected.recoverTo === null ? undefined : parseRecoveryTarget(expected.recoverTo);
    if (!isQuiet(error, target, expected)) throw error;
    await orderRecovery(directory, { target: { kind: 'end' }, timeline: expected.timeline, neverArchive });
    await keepOwner(directory);
    const detail = `nothing was committed between ${target.text} and the end of the log, which is held for longer`;
    return [{ name: 'time', ok: true, detail }, ...(await recover(cluster, context))];
  }
}

function isQuiet(
  error: unknown,
  target: RecoveryTarget | undefined,
  { heldUntilMs }: Expected,
): target is Extract<RecoveryTarget, { kind: 'time' }> {
  if (!(error instanceof HoldfastError) || !endedTooEarly(error.message)) return false;
  return target?.kind === 'time' && heldUntilMs !== null && target.atMs <= heldUntilMs;
}

async function recover({ component, directory, expected }: Cluster, context: KindContext): Promise<Check[]> {
  const { facts } = expected;
  const programs = await programsFor(component, facts);
  context.report({ phase: 'recover' });
  return withPrivateServer(
    {
      dataDirectory: directory,
      toolsDirectory: programs,
      settings: SETTINGS,
      signal: context.signal,
      onStarting: (line) => context.report({ phase: `recover: ${line.slice(0, 120)}` }),
    },
    (server) => examineCluster(server, { component, facts, programs }, context),
  );
}

/** What we wrote belongs to the server's account like everything else. */
async function keepOwner(directory: string, further?: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = await lstat(directory);
  for (const name of ['postgresql.auto.conf', 'recovery.signal', ...(further === undefined ? [] : [further])]) {
    await chown(join(directory, name), uid, gid).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
  }
}
