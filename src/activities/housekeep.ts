/**
 * Removes what is old of a component once a store has given them back, byte for byte. The list of what was decided lies in
 * a file on the host; histories get counts.
 */
import { mkdir, open, rename, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { KEPT_REASONS, oldEnough, plansThatCount, type KeptReason } from '../policy/housekeeping.ts';
import { displayName, type ByteString } from '../sources/byte-string.ts';
import { failureOf, isMissing } from '../sources/io-errors.ts';
import { removeIfAsSeen, unitsOf, type Unit } from '../sources/old-files.ts';
import { openFiles } from '../sources/open-files.ts';
import { compareStored, type Comparison } from '../sources/tree/compare-stored.ts';
import { taskOf } from '../status/of-system.ts';
import { reportsDirectory } from '../system/home.ts';
import type { FilesComponent, HousekeepingTask, System } from '../system/types.ts';
import type { HousekeepingOutcome } from '../workflows/contract.ts';
import { componentOf, type HostContext } from './host-context.ts';
import type { Run } from './shell.ts';
import type { HostActivities } from './types.ts';
import { usable } from './verify.ts';

type Input = Parameters<HostActivities['housekeep']>[0];

interface Decided {
  readonly unit: Unit;
  readonly kept?: KeptReason;
}

/** A repeat goes on with what is still there. Throws BackupMissing when no store that counts has a backup to read. */
export async function housekeep(context: HostContext, input: Input, run: Run): Promise<HousekeepingOutcome> {
  const system = await context.system(input.system);
  const task = taskOf(system, input.task);
  const component = filesComponentOf(system, task);
  run.report({ phase: `look through ${component.name}` });
  const found = await unitsOf(component, task, run.signal);
  const { candidates, young, newest } = oldEnough(found, task, Date.now());
  const read = candidates.length === 0 ? [] : await readStores(context, system, task, candidates, run);
  const decided = await decide(candidates, read);
  const journal = await openJournal(system.name, input.runId);
  try {
    const removal = await remove(decided, { dryRun: input.dryRun, journal, run });
    const kept = Object.fromEntries(KEPT_REASONS.map((reason) => [reason, 0])) as Record<KeptReason, number>;
    for (const { kept: why } of removal.decided) if (why !== undefined) kept[why] += 1;
    return {
      task: task.name,
      component: component.name,
      dryRun: input.dryRun,
      units: task.units,
      found: found.length,
      removed: removal.removed,
      removedBytes: removal.bytes,
      kept: { ...kept, young, newest },
      stores: read.map(({ store, backup }) => ({ store, backup })),
      failed: removal.failed.length,
      ...(removal.failed[0] === undefined ? {} : { firstFailure: removal.failed[0] }),
      list: journal.file,
    };
  } finally {
    await journal.close();
  }
}

function filesComponentOf(system: System, task: HousekeepingTask): FilesComponent {
  const component = componentOf(system, task.component);
  if (component.kind === 'files') return component;
  throw new HoldfastError('BadSystemFile', `housekeeping ${task.name}: ${component.name} is no component of files`);
}

interface ReadStore {
  readonly store: string;
  readonly backup: string;
  readonly found: ReadonlyMap<ByteString, Comparison>;
}

/** Each store that counts has its newest backup read from beginning to end: that is the proof. */
async function readStores(
  context: HostContext,
  system: System,
  task: HousekeepingTask,
  candidates: readonly Unit[],
  run: Run,
): Promise<ReadStore[]> {
  const wanted = new Map(candidates.flatMap(({ files }) => files.map((file) => [file.path, file] as const)));
  const asked = task.stores.length === 0 ? system.stores.map(({ name }) => name) : task.stores;
  const read: ReadStore[] = [];
  for (const store of asked) {
    const entries = await context.catalogue(system, store, { signal: run.signal });
    const counting = plansThatCount(system.plans, task.component, store);
    const entry = entries.find(
      (each) =>
        usable(each) &&
        counting.includes(each.body.plan) &&
        each.body.components.some(({ name }) => name === task.component),
    );
    if (entry === undefined) {
      if (task.stores.length === 0) continue;
      throw new HoldfastError(
        'BackupMissing',
        `${store} holds no backup of ${task.component} that is kept for days: nothing is removed`,
      );
    }
    const found = await context.withReader(system, store, async (vault) => {
      const backup = await vault.open(entry.key);
      const [artifact] = await backup.artifacts(task.component);
      if (artifact === undefined) throw new HoldfastError('ArchiveBroken', `${entry.body.id} holds no tree`);
      const onProgress = (bytesDone: number): void =>
        run.report({ phase: `read back from ${store}`, bytesDone, bytesTotal: artifact.lengthBytes });
      return compareStored(artifact, wanted, { signal: run.signal, onProgress });
    });
    read.push({ store, backup: entry.body.id, found });
    if (task.stores.length === 0) return read;
  }
  if (read.length > 0) return read;
  throw new HoldfastError(
    'BackupMissing',
    `no store holds a backup of ${task.component} that is kept for days: nothing is removed`,
  );
}

async function decide(candidates: readonly Unit[], read: readonly ReadStore[]): Promise<Decided[]> {
  const open = candidates.length === 0 ? new Set<string>() : await openFiles();
  return candidates.map((unit) => {
    const kept = reasonToKeep(unit, read, open);
    return kept === undefined ? { unit } : { unit, kept };
  });
}

/** One file that has to stay keeps all of its unit. */
function reasonToKeep(unit: Unit, read: readonly ReadStore[], open: ReadonlySet<string>): KeptReason | undefined {
  if (unit.special) return 'special';
  const outcomes = unit.files.flatMap(({ path }) => read.map(({ found }) => found.get(path)));
  if (outcomes.includes(undefined)) return 'not-stored';
  if (outcomes.includes('changed')) return 'changed';
  if (outcomes.includes('differs')) return 'differs';
  return unit.files.some(({ device, inode }) => open.has(`${device}:${inode}`)) ? 'in-use' : undefined;
}

interface Removal {
  readonly decided: readonly Decided[];
  readonly removed: number;
  readonly bytes: number;
  readonly failed: readonly string[];
}

/** One that can't be removed is told, and the others go. */
async function remove(
  decided: readonly Decided[],
  { dryRun, journal, run }: { readonly dryRun: boolean; readonly journal: Journal; readonly run: Run },
): Promise<Removal> {
  const done: Decided[] = [];
  const failed: string[] = [];
  let removed = 0;
  let bytes = 0;
  for (const each of decided) {
    run.signal.throwIfAborted();
    const { unit, kept } = each;
    const outcome = kept === undefined && !dryRun ? await removeOne(unit) : kept;
    if (outcome instanceof HoldfastError) failed.push(outcome.message);
    else if (outcome === undefined) {
      removed += 1;
      bytes += unit.sizeBytes;
      run.report({ phase: 'remove', filesDone: removed, bytesDone: bytes });
    }
    const why = outcome instanceof HoldfastError ? undefined : outcome;
    done.push(why === undefined ? { unit } : { unit, kept: why });
    await journal.write(unit, outcome, dryRun);
  }
  return { decided: done, removed, bytes, failed };
}

async function removeOne(unit: Unit): Promise<KeptReason | HoldfastError | undefined> {
  try {
    return (await removeIfAsSeen(unit)) ? undefined : 'changed';
  } catch (error) {
    return failureOf(error, `remove ${displayName(unit.absolute)}`);
  }
}

interface Journal {
  readonly file: string;
  write(unit: Unit, outcome: KeptReason | HoldfastError | undefined, dryRun: boolean): Promise<void>;
  close(): Promise<void>;
}

/** One line of JSON for each that was old enough, oldest first; a repeated attempt adds its own to those of the one before. */
async function openJournal(system: string, runId: string): Promise<Journal> {
  const directory = path.join(reportsDirectory(system), 'housekeeping');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = path.join(directory, `${runId.replaceAll(/[^\w.-]/g, '_')}.list.jsonl`);
  // What an attempt before has removed is told nowhere else.
  await rename(file, `${file}.new`).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
  const handle: FileHandle = await open(`${file}.new`, 'a', 0o600);
  return {
    file,
    write: async ({ absolute, sizeBytes, mtimeMs }, outcome, dryRun) => {
      const became = outcome instanceof HoldfastError ? 'failed' : (outcome ?? (dryRun ? 'would go' : 'removed'));
      const why = outcome instanceof HoldfastError ? { why: outcome.message } : {};
      const changedAt = new Date(mtimeMs).toISOString();
      await handle.write(`${JSON.stringify({ path: displayName(absolute), sizeBytes, changedAt, became, ...why })}\n`);
    },
    close: async () => {
      await handle.sync();
      await handle.close();
      await rename(`${file}.new`, file);
    },
  };
}
