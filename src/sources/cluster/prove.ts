/** A restored cluster is started privately, recovers, is examined, and stopped again, ready to be taken into use. */
import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import type { Beside, CheckReport, KindContext } from '../kinds/component.ts';
import { copyTree } from './copy-tree.ts';
import { examineCluster } from './examine.ts';
import type { ClusterFacts } from './facts.ts';
import { recoverToTarget, type Expected } from './recover.ts';
import { announceTimeline, endRecovery } from './recovery.ts';
import { COPY, programsFor, replacementOf } from './restore.ts';
import { keepOwner } from './unpack.ts';

type Check = CheckReport['checks'][number];

/** Repeatable: a cluster that has recovered is examined again. What PostgreSQL refuses is a verdict, in its own words. */
export async function proveCluster(
  component: PostgresBaseComponent,
  beside: Beside,
  context: KindContext,
): Promise<CheckReport> {
  const replacement = replacementOf(component, beside.restoreId, context);
  const record = await replacement.known();
  const directory = record.elsewhere ?? join(record.work, COPY);
  const expected = record.expected as Expected & { readonly proved?: CheckReport };
  const moveBeside = (): Promise<void> => replacement.moveBeside((from, to) => copyTree(from, to, context.signal));
  if (expected.proved !== undefined) {
    // It may be on its way already, to where no server of ours can start on it.
    await moveBeside();
    return expected.proved;
  }
  const { facts } = expected;
  const neverArchive = record.elsewhere !== null;
  try {
    const programs = await programsFor(component, facts);
    const cluster = { directory, programs, expected, neverArchive, settings: keepLog(facts) };
    const { value, quiet } = await recoverToTarget(cluster, context, async (server) => {
      const { socketDirectory: address, port } = server;
      const there = { address, port, user: component.server.backup.user, databases: {} };
      const examined = await examineCluster(server, { component, facts, programs }, context);
      return [...examined, ...((await context.onScratchServer?.(there)) ?? [])];
    });
    const checks: Check[] = [...(quiet === undefined ? [] : [{ name: 'time', ok: true, detail: quiet }]), ...value];
    await endRecovery(directory, neverArchive);
    const told = neverArchive ? undefined : await announceTimeline(directory);
    await keepOwner(directory, told === undefined ? [] : [told]);
    if (record.elsewhere === null) checks.push(...(await linkedLog(record.live)));
    const report = { ok: checks.every(({ ok }) => ok), checks };
    if (report.ok && replacement.isApart(record)) {
      await replacement.update({ ...record, expected: { ...expected, proved: report } });
      context.report({ phase: 'bring the copy beside' });
      await moveBeside();
    }
    return report;
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof HoldfastError) || error.code !== 'CheckFailed') throw error;
    return { ok: false, checks: [{ name: 'recovery', ok: false, detail: error.message }] };
  }
}

/**
 * What is examined is written to as well. The beginning of the new timeline has to be there when the server goes on, or
 * its archive and who receives its log begin with a gap.
 */
function keepLog({ versionNumber }: ClusterFacts): Readonly<Record<string, string | number>> {
  return versionNumber >= 130_000 ? { wal_keep_size: '1GB' } : { wal_keep_segments: 64 };
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
