/** A base backup recovered on a scratch server, for those who want something out of it; gone afterwards in any case. */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import type { ArtifactReader } from '../../part.ts';
import { parseRecoveryTarget } from '../../policy/recovery-target.ts';
import { dataOf } from '../../postgres/scratch-process.ts';
import { withScratchPlace } from '../../postgres/scratch-place.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import type { KindContext, RestoreTarget } from '../kinds/component.ts';
import { withOwner } from './as-owner.ts';
import { artifactsOf } from './facts.ts';
import { chooseLog } from './log-files.ts';
import { recoverToTarget } from './recover.ts';
import { lastTransactionTime } from './recovery.ts';
import { expectedOf, programsFor } from './restore.ts';
import { unpackCluster } from './unpack.ts';

export interface ScratchCluster {
  /** As its bootstrap superuser. */
  readonly access: PostgresAccess;
  /** The last moment that it has seen, RFC 3339; undefined when nothing was committed since the backup. */
  readonly seenUntil?: string;
}

/** A crash throws it away as a whole. */
const QUICK = { fsync: false, full_page_writes: false, synchronous_commit: 'off' } as const;

/**
 * Gives `use` the cluster as it was at its backup or at `recoverTo`, open for reading. Throws Unreachable before anything
 * is unpacked, DiskFull, ToolMissing, CheckFailed when the backup is not what its manifest says or does not come up.
 * `warnings` is what a person should know of where recovery ended.
 */
export async function withScratchCluster<T>(
  component: PostgresBaseComponent,
  artifacts: readonly ArtifactReader[],
  { recoverTo, wal }: Pick<RestoreTarget, 'recoverTo' | 'wal'>,
  context: KindContext,
  use: (cluster: ScratchCluster) => Promise<T>,
): Promise<{ readonly value: T; readonly warnings: readonly string[] }> {
  const { signal, stateDirectory } = context;
  const { base, facts } = await artifactsOf(component.name, artifacts, signal);
  const programs = await programsFor(component, facts);
  const target = recoverTo === undefined ? undefined : parseRecoveryTarget(recoverTo);
  const source = target === undefined ? undefined : await wal?.(facts.systemIdentifier);
  const log = await chooseLog(facts, target, source, signal);
  const neededBytes = base.lengthBytes + log.lengthBytes;
  return withScratchPlace(stateDirectory, async ({ directory, account }) => {
    await refuseFullDisk(dirname(directory), neededBytes);
    const copy = dataOf(directory);
    const order = { base, facts, target, log, source, programs, owner: account, neverArchive: true };
    await unpackCluster(order, directory, copy, context);
    const expected = expectedOf(facts, recoverTo, log);
    const recovering = { directory: copy, programs, expected, neverArchive: true, settings: QUICK };
    const { value, quiet } = await recoverToTarget(recovering, context, (server) => {
      const seen = seenUntil(server.log());
      return withOwner({ server, component, programs }, context, (access) =>
        use(seen === undefined ? { access } : { access, seenUntil: seen }),
      );
    });
    return { value, warnings: quiet === undefined ? [] : [quiet] };
  });
}

/** The log of a private server is in UTC: `2026-11-21 14:01:59.123456+00`. */
function seenUntil(log: string): string | undefined {
  return lastTransactionTime(log)?.trim().replace(' ', 'T').replace(/\+00$/, 'Z');
}

/** Found out before an hour of unpacking; a cluster on its disk is as large as its tar. */
async function refuseFullDisk(directory: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes) return;
  throw new HoldfastError(
    'DiskFull',
    `the cluster has ${neededBytes} bytes with its log, and ${freeBytes} are free for a scratch server in ${directory}`,
    { hint: 'Make room there, or put HOLDFAST_HOME on a disk that has it and that the account postgres may enter.' },
  );
}
