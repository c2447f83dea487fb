/** The write-ahead log that a recovery needs: which timeline, which files, and their copies beside the cluster. */
import { createWriteStream } from 'node:fs';
import { chown, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { HoldfastError } from '../../failures.ts';
import type { WalFile, WalSource } from '../../part.ts';
import { parseHistory, parseLsn, parseSegmentName } from '../../policy/lsn.ts';
import type { TimelineSwitch } from '../../policy/lsn.ts';
import { covers, reachOf } from '../../policy/reachable.ts';
import type { BasePoint, HeldLog, HeldStretch, Reach } from '../../policy/reachable.ts';
import type { RecoveryTarget } from '../../policy/recovery-target.ts';
import type { KindContext } from '../kinds/component.ts';
import { failureOf } from '../io-errors.ts';
import type { ClusterFacts } from './facts.ts';

export interface LogChoice {
  readonly timeline: number;
  /** Until then everything that was committed is in the log; undefined where nobody knows. */
  readonly heldUntilMs?: number;
  readonly files: readonly string[];
  /** What these files take on a disk. */
  readonly lengthBytes: number;
}

export function basePointOf(backup: string, facts: ClusterFacts): BasePoint {
  return {
    backup,
    systemIdentifier: facts.systemIdentifier,
    timeline: facts.timeline,
    startLsn: parseLsn(facts.startLsn),
    endLsn: parseLsn(facts.endLsn),
    endedAtMs: Date.parse(facts.endedAt),
  };
}

/**
 * Without a target: the backup's own timeline and no segments. Throws Unreachable when the log that is held does not get
 * to the target from this backup. Histories always come along, so that recovery takes a timeline that nobody had.
 */
export async function chooseLog(
  facts: ClusterFacts,
  target: RecoveryTarget | undefined,
  source: WalSource | undefined,
  signal: AbortSignal,
): Promise<LogChoice> {
  const held = (await source?.files()) ?? [];
  const histories = held.filter(({ name }) => name.endsWith('.history'));
  const names = histories.map(({ name }) => name);
  if (target === undefined) return { timeline: facts.timeline, files: names, lengthBytes: lengthOf(histories) };
  if (source === undefined) {
    throw new HoldfastError(
      'Unreachable',
      'No write-ahead log of this cluster is held: only the backup itself can be restored',
    );
  }
  const lines = new Map<number, readonly TimelineSwitch[]>();
  for (const { name, timeline } of histories) lines.set(timeline, parseHistory(await textOf(source, name, signal)));
  const log: HeldLog = {
    systemIdentifier: facts.systemIdentifier,
    stretches: stretchesOf(held, facts.segmentBytes),
    histories: lines,
  };
  const base = basePointOf('this backup', facts);
  const reaches = reachOf(base, log);
  const reach = reaches.find((each) => covers(each, target));
  if (reach === undefined) throw unreachable(base, reaches, target);
  const segments = segmentsFor(held, reach, lines, facts.segmentBytes);
  const certain = segments.reduce((latest, { coversUntilMs = 0 }) => Math.max(latest, coversUntilMs), 0);
  return {
    timeline: reach.timeline,
    ...(certain === 0 ? {} : { heldUntilMs: certain }),
    files: [...names, ...segments.map(({ name }) => name)],
    lengthBytes: lengthOf(histories) + lengthOf(segments),
  };
}

function lengthOf(files: readonly WalFile[]): number {
  return files.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
}

function unreachable(base: BasePoint, reaches: readonly Reach[], target: RecoveryTarget): HoldfastError {
  const latest = Math.max(base.endedAtMs, ...reaches.map(({ toMs }) => toMs));
  const asked = target.kind === 'time' || target.kind === 'lsn' ? target.text : target.kind;
  const interval = `${new Date(base.endedAtMs).toISOString()} to ${new Date(latest).toISOString()}`;
  return new HoldfastError('Unreachable', `${asked} can't be reached from this backup, which reaches ${interval}`);
}

/** Whole and begun segments, joined where one follows the other; of a begun one the length is not known, but its start. */
function stretchesOf(files: readonly WalFile[], segmentBytes: number): HeldStretch[] {
  const stretches: { timeline: number; from: bigint; to: bigint; untilMs: number }[] = [];
  for (const { name, complete, storedAtMs, coversUntilMs } of files) {
    const heldMs = coversUntilMs ?? storedAtMs;
    const place = parseSegmentName(name, segmentBytes);
    if (place === undefined) continue;
    const to = place.start + BigInt(segmentBytes);
    const last = stretches.at(-1);
    if (last?.timeline === place.timeline && last.to === place.start) {
      last.to = to;
      last.untilMs = Math.max(last.untilMs, heldMs);
    } else stretches.push({ timeline: place.timeline, from: place.start, to, untilMs: heldMs });
    // Nothing is read past the end of what has come.
    if (!complete) stretches.push({ timeline: place.timeline, from: to, to, untilMs: 0 });
  }
  return stretches.filter(({ from, to }) => to > from);
}

/** From the backup's start on, on every timeline of the path, up to the target's segment when that is known. */
function segmentsFor(
  files: readonly WalFile[],
  reach: Reach,
  histories: ReadonlyMap<number, readonly TimelineSwitch[]>,
  segmentBytes: number,
): WalFile[] {
  const path = new Set([
    reach.base.timeline,
    reach.timeline,
    ...(histories.get(reach.timeline) ?? []).map(({ parent }) => parent),
  ]);
  const first = reach.base.startLsn - (reach.base.startLsn % BigInt(segmentBytes));
  return files.filter(({ name }) => {
    const place = parseSegmentName(name, segmentBytes);
    return place !== undefined && path.has(place.timeline) && place.start >= first && place.start < reach.toLsn;
  });
}

async function textOf(source: WalSource, name: string, signal: AbortSignal): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const bytes of source.read(name, signal)) pieces.push(bytes);
  return Buffer.concat(pieces).toString();
}

/** Copies the files into `directory`, made anew, readable by the server's account. */
export async function fetchLog(
  source: WalSource,
  names: readonly string[],
  directory: string,
  owner: { readonly uid: number; readonly gid: number },
  context: KindContext,
): Promise<void> {
  const { signal } = context;
  try {
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { mode: 0o700 });
    const give = (path: string): Promise<void> =>
      process.geteuid?.() === 0 ? chown(path, owner.uid, owner.gid) : Promise.resolve();
    await give(directory);
    for (const [index, name] of names.entries()) {
      context.report({ phase: 'write-ahead log', filesDone: index });
      const path = join(directory, name);
      await pipeline(source.read(name, signal), createWriteStream(path, { flags: 'wx', mode: 0o600 }), { signal });
      await give(path);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw failureOf(error, `copy the log into ${directory}`);
  }
}
