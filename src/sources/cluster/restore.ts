/** A base backup becomes a data directory beside the live one, ready to recover to the point that was asked for. */
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import { parseRecoveryTarget } from '../../policy/recovery-target.ts';
import type { ArtifactReader } from '../../part.ts';
import { mayEnter, scratchParent, serverAccount } from '../../postgres/server-account.ts';
import type { ServerAccount } from '../../postgres/server-account.ts';
import { serverPrograms } from '../../postgres/server-programs.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import type { Beside, KindContext, RestoreTarget } from '../kinds/component.ts';
import { Replacement } from '../replacement.ts';
import { resolved } from '../tree/live.ts';
import { directoryInContainer } from './container-place.ts';
import { artifactsOf } from './facts.ts';
import type { ClusterFacts } from './facts.ts';
import { chooseLog, type LogChoice } from './log-files.ts';
import type { Expected } from './recover.ts';
import { statOf, unpackCluster } from './unpack.ts';

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
  const order = {
    base,
    facts,
    target: wanted,
    log,
    source,
    programs,
    owner: account ?? (await statOf(live)),
    neverArchive: elsewhere !== null,
  };
  const { verifybackup } = await unpackCluster(order, record.work, copy, context);
  const expected = expectedOf(facts, target.recoverTo, log);
  await replacement.deliver(await replacement.update({ ...record, expected }), copy);
  return {
    component: component.name,
    restoreId,
    place: elsewhere ?? copy,
    facts: { recoverTo: target.recoverTo ?? 'the backup', logFiles: log.files.length, verifybackup },
  };
}

export function expectedOf(facts: ClusterFacts, recoverTo: string | undefined, log: LogChoice): Expected {
  return { facts, recoverTo: recoverTo ?? null, timeline: log.timeline, heldUntilMs: log.heldUntilMs ?? null };
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
    if (component.server.tools.kind === 'host') {
      throw new HoldfastError(
        'BadInput',
        `${name} names no dataDirectory on this host, so it can't be replaced in place`,
        {
          hint: 'Restore to another directory with --target and give that one to the server, or name `dataDirectory`.',
        },
      );
    }
  }
  if (elsewhere !== undefined) return { live: await resolved(dataDirectory ?? elsewhere), parent: dirname(elsewhere) };
  const live = await resolved(dataDirectory ?? (await directoryInContainer(component, context.docker())));
  await refuseMountPoint(live);
  return { live, parent: await parentBeside(live, context) };
}

/**
 * The copy is recovered by a server that runs as the cluster's owner, who may not come as far as the volumes of Docker:
 * then it is made in another place, of the same disk where there is one, and comes beside the live one when it is proved.
 */
async function parentBeside(live: string, { stateDirectory }: KindContext): Promise<string> {
  const usual = dirname(live);
  const owner = process.geteuid?.() === 0 ? await statOf(live) : undefined;
  if (owner === undefined || (await mayEnter(usual, owner))) return usual;
  for (const candidate of [stateDirectory, '/var/tmp', tmpdir()]) {
    const there = await statOf(candidate);
    if (there?.dev === owner.dev && (await mayEnter(candidate, owner))) return candidate;
  }
  return scratchParent(stateDirectory, owner);
}

/** Found out before anything is restored: a mount point can't change its name. */
async function refuseMountPoint(live: string): Promise<void> {
  const [own, above] = await Promise.all([statOf(live), statOf(dirname(live))]);
  if (own === undefined || own.dev === above?.dev) return;
  throw new HoldfastError('BadInput', `${live} is a filesystem of its own, so no copy beside it can take its name`, {
    hint: 'Give the server a directory below the mount point, or restore to another directory with --target and move it.',
  });
}
