/** A base backup becomes a data directory beside the live one, ready to recover to the point that was asked for. */
import type { Stats } from 'node:fs';
import { chmod, chown, lchown, lstat, mkdir, opendir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import { parseRecoveryTarget } from '../../policy/recovery-target.ts';
import type { ArtifactReader } from '../../part.ts';
import { scratchParent, serverAccount } from '../../postgres/server-account.ts';
import type { ServerAccount } from '../../postgres/server-account.ts';
import { serverPrograms } from '../../postgres/server-programs.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import { extractTar } from '../extract/extract.ts';
import type { Beside, KindContext, RestoreTarget } from '../kinds/component.ts';
import { failureOf, isMissing } from '../io-errors.ts';
import { Replacement } from '../replacement.ts';
import { reportOn } from './backup.ts';
import { ClusterCheck } from './check.ts';
import { artifactsOf } from './facts.ts';
import type { ClusterFacts } from './facts.ts';
import { chooseLog, fetchLog } from './log-files.ts';
import { LOG_DIRECTORY, orderRecovery } from './recovery.ts';
import { runVerifyBackup } from './verify-backup.ts';

/** What the later steps need to know of the copy. */
export interface Expected {
  readonly facts: ClusterFacts;
  readonly recoverTo: string | null;
  readonly timeline: number;
  /** Everything that was committed before this moment is in the log that was copied. */
  readonly heldUntilMs: number | null;
}

export const COPY = 'data';

export function replacementOf(component: PostgresBaseComponent, restoreId: string, context: KindContext): Replacement {
  return new Replacement(context.stateDirectory, restoreId, component.name);
}

export function programsFor(component: PostgresBaseComponent, facts: ClusterFacts): Promise<string> {
  const { tools } = component.server;
  return serverPrograms(Math.floor(facts.versionNumber / 10_000), tools.kind === 'host' ? tools.directory : undefined);
}

export async function restoreCluster(
  component: PostgresBaseComponent,
  artifacts: readonly ArtifactReader[],
  target: RestoreTarget,
  restoreId: string,
  context: KindContext,
): Promise<Beside> {
  const { signal } = context;
  if (target.paths.length > 0) {
    throw new HoldfastError('BadInput', `${component.name} is a database cluster; there are no single paths in it`);
  }
  const { base, facts } = await artifactsOf(component.name, artifacts, signal);
  const programs = await programsFor(component, facts);
  const wanted = target.recoverTo === undefined ? undefined : parseRecoveryTarget(target.recoverTo);
  // A log that can't be read is no reason to refuse the backup by itself.
  const source =
    wanted === undefined && target.wal === undefined ? undefined : await target.wal?.(facts.systemIdentifier);
  const log = await chooseLog(facts, wanted, source, signal);

  const { live, parent, owner: account } = await placeOf(component, target, context);
  const elsewhere = target.elsewhere ?? null;
  const replacement = replacementOf(component, restoreId, context);
  const record = await replacement.begin(live, parent, elsewhere);
  const copy = join(record.work, COPY);
  await unpack(base, facts, copy, context);
  const owner = await settleOwner(copy, record.work, account ?? (await statOf(live)));
  context.report({ phase: 'pg_verifybackup' });
  const verified = await runVerifyBackup(programs, copy, signal);
  if (source !== undefined) await fetchLog(source, log.files, join(copy, LOG_DIRECTORY), owner, context);
  await orderRecovery(copy, { target: wanted, timeline: log.timeline, neverArchive: elsewhere !== null });
  await giveAll(copy, owner, ['postgresql.auto.conf', 'recovery.signal']);
  const expected: Expected = {
    facts,
    recoverTo: target.recoverTo ?? null,
    timeline: log.timeline,
    heldUntilMs: log.heldUntilMs ?? null,
  };
  await replacement.deliver(await replacement.update({ ...record, expected }), copy);
  return {
    component: component.name,
    restoreId,
    place: elsewhere ?? copy,
    facts: { recoverTo: target.recoverTo ?? 'the backup', logFiles: log.files.length, verifybackup: verified },
  };
}

interface Place {
  /** What would be replaced. */
  readonly live: string;
  /** Where the copy is made. */
  readonly parent: string;
  /** Undefined: the owner of what is live. */
  readonly owner?: ServerAccount;
}

async function placeOf(component: PostgresBaseComponent, target: RestoreTarget, context: KindContext): Promise<Place> {
  const { dataDirectory, name } = component;
  const { elsewhere } = target;
  if (dataDirectory === undefined && elsewhere === undefined) {
    if (target.verify === true) {
      const account = serverAccount();
      const parent = await scratchParent(context.stateDirectory, account);
      return { live: join(parent, name), parent, ...(account === undefined ? {} : { owner: account }) };
    }
    throw new HoldfastError(
      'BadInput',
      `${name} names no dataDirectory on this host, so it can't be replaced in place`,
      {
        hint: 'Restore to another directory with --target and give that one to the server, or name `dataDirectory`.',
      },
    );
  }
  const live = await resolved(dataDirectory ?? elsewhere ?? '');
  if (elsewhere === undefined) await refuseMountPoint(live);
  return { live, parent: dirname(elsewhere ?? live) };
}

/** Found out before anything is restored: a mount point can't change its name. */
async function refuseMountPoint(live: string): Promise<void> {
  const [own, above] = await Promise.all([statOf(live), statOf(dirname(live))]);
  if (own === undefined || own.dev === above?.dev) return;
  throw new HoldfastError('BadInput', `${live} is a filesystem of its own, so no copy beside it can take its name`, {
    hint: 'Give the server a directory below the mount point, or restore to another directory with --target and move it.',
  });
}

async function resolved(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (isMissing(error)) return path;
    throw failureOf(error, `look at ${path}`);
  }
}

/** Every file is compared with the backup's manifest on its way. */
async function unpack(base: ArtifactReader, facts: ClusterFacts, copy: string, context: KindContext): Promise<void> {
  const { signal } = context;
  try {
    await mkdir(copy, { mode: 0o700 });
  } catch (error) {
    throw failureOf(error, `make ${copy}`);
  }
  const check = new ClusterCheck();
  async function* watched(): AsyncGenerator<Uint8Array> {
    for await (const bytes of base.read({ signal })) {
      // Before it is given away.
      check.push(bytes);
      yield bytes;
    }
  }
  await extractTar(watched, copy, {
    signal,
    onProgress: ({ bytesDone, filesDone }) => {
      context.report({ phase: 'restore', bytesDone, bytesTotal: base.lengthBytes, filesDone });
    },
  });
  const report = reportOn(check.verdict(facts.segmentBytes), facts);
  if (!report.ok) {
    const words = report.checks.flatMap(({ ok, detail }) => (ok ? [] : [detail])).join('; ');
    throw new HoldfastError('CheckFailed', `The base backup is not what its manifest says: ${words}`);
  }
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw failureOf(error, `look at ${path}`);
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

async function giveAll(directory: string, owner: ServerAccount, names: readonly string[]): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  for (const name of names) await chown(join(directory, name), owner.uid, owner.gid);
}
