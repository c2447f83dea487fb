/** The files of a base backup on a disk, compared with its manifest, given to the server's account, told how to recover. */
import type { Stats } from 'node:fs';
import { chmod, chown, lchown, lstat, mkdir, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import type { ArtifactReader, WalSource } from '../../part.ts';
import type { RecoveryTarget } from '../../policy/recovery-target.ts';
import type { ServerAccount } from '../../postgres/server-account.ts';
import { extractTar } from '../extract/extract.ts';
import { failureOf, isMissing } from '../io-errors.ts';
import type { KindContext } from '../kinds/component.ts';
import { reportOn } from './backup.ts';
import { refuseCreatedTablespaces } from './created-tablespaces.ts';
import type { ClusterVerdict } from './check.ts';
import { checkedOnTheWay, ClusterChecking } from './checking.ts';
import type { ClusterFacts } from './facts.ts';
import { fetchLog, type LogChoice } from './log-files.ts';
import { LOG_DIRECTORY, orderRecovery } from './recovery.ts';
import { runVerifyBackup } from './verify-backup.ts';

export interface ClusterOrder {
  readonly base: ArtifactReader;
  readonly facts: ClusterFacts;
  /** Undefined: only as far as the backup needs to be consistent. */
  readonly target: RecoveryTarget | undefined;
  readonly log: LogChoice;
  readonly source: WalSource | undefined;
  /** Of the cluster's own major version. */
  readonly programs: string;
  /** Undefined: whom the backup says. */
  readonly owner: ServerAccount | undefined;
  readonly neverArchive: boolean;
}

/**
 * Makes `copy`, in a directory of ours that its owner may pass through, so that the next start of a server recovers.
 * Throws CheckFailed when the files are not what the manifest says, Unreachable when the log would write outside of it.
 */
export async function unpackCluster(
  order: ClusterOrder,
  work: string,
  copy: string,
  context: KindContext,
): Promise<{ readonly verifybackup: 'ok' | 'not there' }> {
  const { source, log, target, neverArchive } = order;
  await extract(order, copy, context);
  const owner = await settleOwner(copy, work, order.owner);
  context.report({ phase: 'pg_verifybackup' });
  const verifybackup = await runVerifyBackup(order.programs, copy, context.signal);
  if (source !== undefined) await fetchLog(source, log.files, join(copy, LOG_DIRECTORY), owner, context);
  await refuseCreatedTablespaces({
    programs: order.programs,
    directories: ['pg_wal', LOG_DIRECTORY].map((name) => join(copy, name)),
    segmentBytes: order.facts.segmentBytes,
    target,
    signal: context.signal,
  });
  await orderRecovery(copy, { target, timeline: log.timeline, neverArchive });
  await keepOwner(copy, []);
  return { verifybackup };
}

/** Every file is compared with the backup's manifest on its way. */
async function extract({ base, facts }: ClusterOrder, copy: string, context: KindContext): Promise<void> {
  const { signal } = context;
  try {
    await mkdir(copy, { mode: 0o700 });
  } catch (error) {
    throw failureOf(error, `make ${copy}`);
  }
  const checking = new ClusterChecking();
  let verdict: ClusterVerdict;
  try {
    await extractTar(() => checkedOnTheWay(base.read({ signal }), checking), copy, {
      signal,
      onProgress: ({ bytesDone, filesDone }) => {
        context.report({ phase: 'restore', bytesDone, bytesTotal: base.lengthBytes, filesDone });
      },
    });
    verdict = await checking.verdict(facts.segmentBytes);
  } finally {
    await checking.close();
  }
  const report = reportOn(verdict, facts);
  if (!report.ok) {
    const words = report.checks.flatMap(({ ok, detail }) => (ok ? [] : [detail])).join('; ');
    throw new HoldfastError('CheckFailed', `The base backup is not what its manifest says: ${words}`);
  }
}

/** Everything is given to the wanted owner; without one it stays with whom the backup says. */
async function settleOwner(copy: string, work: string, wanted: ServerAccount | undefined): Promise<ServerAccount> {
  const files = await lstat(join(copy, 'PG_VERSION'));
  const { uid, gid } = wanted ?? files;
  if (process.geteuid?.() === 0) {
    if (uid !== files.uid || gid !== files.gid) await giveTree(copy, { uid, gid });
    // The server has to pass through it.
    await chown(work, uid, gid);
    await chown(copy, uid, gid);
  }
  await chmod(copy, 0o700);
  return { uid, gid };
}

async function giveTree(directory: string, { uid, gid }: ServerAccount): Promise<void> {
  for await (const entry of await opendir(directory, { recursive: true })) {
    await lchown(join(entry.parentPath, entry.name), uid, gid);
  }
}

/** What we wrote into a cluster belongs to the server's account like everything else: the orders, and `further` paths. */
export async function keepOwner(directory: string, further: readonly string[]): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = await lstat(directory);
  for (const name of ['postgresql.auto.conf', 'recovery.signal', ...further]) {
    await chown(join(directory, name), uid, gid).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }
}

export async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw failureOf(error, `look at ${path}`);
  }
}
