/** One turn of collecting a log from the directory that archive_command fills: stored, looked for, and only then removed. */
import { open, readdir, stat, unlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../../failures.ts';
import { formatLsn, isSegmentName, isSegmentSize, parseSegmentName } from '../../policy/lsn.ts';
import { judgeTrouble, type WalAlarm } from '../../policy/wal-alarm.ts';
import { present } from '../../system/present.ts';
import { rangeText, WAL_BLOCK_BYTES, type WalWriter } from '../../vault/index.ts';
import type { HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';
import type { WalTurn, WalTurnInput } from '../types.ts';
import { TURN_MS, walOf } from './receive.ts';
import { markTurn, sameAlarm, Troubles } from './turn.ts';

/** A file that was touched more recently may still be written. */
const SETTLED_MS = 2_000;
/** XLogLongPageHeaderData, which every segment begins with (access/xlog_internal.h). */
const HEADER_BYTES = 40;
const SYSTEM_IDENTIFIER_AT = 24;
const SEGMENT_SIZE_AT = 32;
const LONG_HEADER = 0x0002;
const MAX_HISTORY_BYTES = 1024 * 1024;

export async function collectWal(context: HostContext, input: WalTurnInput, run: Run): Promise<WalTurn> {
  const system = await context.system(input.system);
  const { component, wal } = walOf(system, input.component);
  const directory = wal.archiveDirectory ?? '';
  const collector = new Collector(directory, input, run);
  const troubles = new Troubles();
  const endMs = Date.now() + TURN_MS;
  while (Date.now() < endMs) {
    let pauseMs = wal.everySeconds * 1000;
    try {
      const where = { store: wal.store, component: component.name };
      const turn = await context.withWalWriter(system, where, (writer) => collector.round(writer));
      if (turn !== undefined) return turn;
      troubles.over();
    } catch (error) {
      run.signal.throwIfAborted();
      pauseMs = Math.min(pauseMs, troubles.add(error));
    }
    const graceMs = Math.max(60_000, 2 * wal.everySeconds * 1000);
    const alarm =
      judgeTrouble(troubles.current, Date.now(), graceMs) ??
      heldBack(collector.waitingBytes, wal.slotBoundBytes, directory);
    collector.report(troubles.current?.message, wal.slotBoundBytes);
    if (!sameAlarm(alarm, input.alarm)) return { kind: 'alarm', ...(alarm === undefined ? {} : { alarm }) };
    await sleep(pauseMs, undefined, { signal: run.signal });
  }
  return { kind: 'over' };
}

function heldBack(bytes: number, boundBytes: number, directory: string): WalAlarm | undefined {
  if (bytes < boundBytes / 2) return undefined;
  const message = `${Math.round(bytes / 2 ** 20)} MiB of log wait in ${directory} and can't be stored quickly enough`;
  return { what: 'held-back', message };
}

interface Header {
  readonly systemIdentifier: string;
  readonly segmentBytes: number;
}

class Collector {
  waitingBytes = 0;
  private readonly directory: string;
  private readonly input: WalTurnInput;
  private readonly run: Run;
  private systemIdentifier: string | undefined;
  private stored: { timeline: number; to: bigint; atMs: number } | undefined;
  private looked = false;

  constructor(directory: string, input: WalTurnInput, run: Run) {
    this.directory = directory;
    this.input = input;
    this.run = run;
  }

  /**
   * Everything that is there, in the order of the log. A file that is not ready ends the round, because what comes after
   * it must not be taken for what follows.
   */
  async round(writer: WalWriter): Promise<WalTurn | undefined> {
    const names = await this.names();
    this.waitingBytes = await this.sizeOf(names);
    let collected = 0;
    for (const name of names.filter(isSegmentName)) {
      this.run.signal.throwIfAborted();
      if (!(await this.segment(writer, name))) break;
      collected += 1;
    }
    for (const name of names.filter((one) => !isSegmentName(one))) await this.history(writer, name);
    if (collected === 0 && this.looked) return undefined;
    this.looked = true;
    return this.judge(writer);
  }

  report(trouble: string | undefined, boundBytes: number): void {
    const { stored, waitingBytes } = this;
    this.run.report({
      phase: trouble === undefined ? 'collecting' : `waiting: ${trouble}`,
      wal: present({
        timeline: stored?.timeline,
        storedLsn: stored === undefined ? undefined : formatLsn(stored.to),
        recoveryPointAt: stored === undefined ? undefined : new Date(stored.atMs).toISOString(),
        heldBackBytes: waitingBytes,
        boundBytes,
        trouble,
      }),
    });
  }

  private async names(): Promise<string[]> {
    try {
      const all = await readdir(this.directory);
      return all.filter((name) => isSegmentName(name) || /^[0-9A-F]{8}\.history$/.test(name)).sort();
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      const gone = code === 'ENOENT';
      throw new HoldfastError(
        gone ? 'SourceMissing' : 'PermissionDenied',
        `the archive directory ${this.directory} ${gone ? 'does not exist' : `can't be read (${code ?? 'unknown'})`}`,
        { cause },
      );
    }
  }

  private async sizeOf(names: readonly string[]): Promise<number> {
    const sizes = await Promise.all(names.map((name) => stat(path.join(this.directory, name)).catch(() => undefined)));
    return sizes.reduce((sum, one) => sum + (one?.size ?? 0), 0);
  }

  /** False: it may still be written. */
  private async segment(writer: WalWriter, name: string): Promise<boolean> {
    const file = path.join(this.directory, name);
    await using handle = await open(file, 'r');
    const { size, mtimeMs } = await handle.stat();
    if (Date.now() - mtimeMs < SETTLED_MS) return false;
    const { systemIdentifier, segmentBytes } = await headerOf(handle, file);
    if (size !== segmentBytes) {
      throw new HoldfastError('SourceChanging', `${file} has ${size} bytes, and its segment ${segmentBytes}`, {
        hint: 'archive_command must give the file its name when it is whole; docs/operations.md has one that does.',
      });
    }
    const { timeline, start = 0n } = parseSegmentName(name, segmentBytes) ?? { timeline: 0 };
    const blockBytes = Math.min(WAL_BLOCK_BYTES, segmentBytes);
    for (let at = 0; at < segmentBytes; at += blockBytes) {
      const bytes = await readExactly(handle, at, blockBytes, file);
      const from = start + BigInt(at);
      const piece = { systemIdentifier, timeline, segmentBytes, from, bytes, receivedAtMs: Math.floor(mtimeMs) };
      await writer.storeRange(piece, this.run.signal);
    }
    await writer.sync();
    const to = start + BigInt(segmentBytes);
    // By what the store lists, before the only other copy is removed.
    const range = { systemIdentifier, timeline, from: start, to };
    if (!(await writer.holds(range, segmentBytes))) {
      throw new HoldfastError(
        'StoreUnreachable',
        `the store does not list ${rangeText(range)}, which it has just taken`,
      );
    }
    await unlink(file);
    this.systemIdentifier = systemIdentifier;
    this.stored = { timeline, to, atMs: Math.floor(mtimeMs) };
    this.waitingBytes -= size;
    return true;
  }

  /** Of which cluster it is, only segments beside it tell. */
  private async history(writer: WalWriter, name: string): Promise<void> {
    const systemIdentifier = this.systemIdentifier ?? (await writer.inventory()).at(-1)?.systemIdentifier;
    if (systemIdentifier === undefined) return;
    const file = path.join(this.directory, name);
    await using handle = await open(file, 'r');
    const { size, mtimeMs } = await handle.stat();
    if (size === 0 || size > MAX_HISTORY_BYTES || Date.now() - mtimeMs < SETTLED_MS) return;
    const bytes = await readExactly(handle, 0, size, file);
    const timeline = Number.parseInt(name.slice(0, 8), 16);
    await writer.storeHistory({ systemIdentifier, timeline, bytes, receivedAtMs: Math.floor(mtimeMs) });
    await writer.sync();
    await unlink(file);
  }

  /** Segments come one after another, so that a hole between two that are stored is a gap. */
  private async judge(writer: WalWriter): Promise<WalTurn | undefined> {
    const clusters = await writer.inventory({ signal: this.run.signal });
    const cluster = clusters.find((one) => one.systemIdentifier === this.systemIdentifier) ?? clusters.at(-1);
    if (cluster === undefined) return undefined;
    const { systemIdentifier, gaps, intervals } = cluster;
    for (const gap of gaps) {
      this.run.log.warn({ gap: rangeText(gap) }, 'a gap in the archived log');
      await writer.recordGap({
        systemIdentifier,
        ...gap,
        why: 'later segments came to the archive directory without it',
      });
    }
    const last = intervals.at(-1);
    if (last !== undefined) this.stored ??= { timeline: last.timeline, to: last.to, atMs: last.storedAtMs };
    return markTurn(systemIdentifier, clusters, this.input.mark);
  }
}

async function headerOf(handle: FileHandle, file: string): Promise<Header> {
  const header = await readExactly(handle, 0, HEADER_BYTES, file);
  const segmentBytes = header.readUInt32LE(SEGMENT_SIZE_AT);
  if ((header.readUInt16LE(2) & LONG_HEADER) === 0 || !isSegmentSize(segmentBytes)) {
    throw new HoldfastError('SourceCorrupt', `${file} is not a segment of a write-ahead log`, {
      hint: 'archive_command must copy segments as they are, uncompressed; move this file away when it is none.',
    });
  }
  return { systemIdentifier: String(header.readBigUInt64LE(SYSTEM_IDENTIFIER_AT)), segmentBytes };
}

async function readExactly(handle: FileHandle, at: number, length: number, file: string): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let got = 0; got < length;) {
    const { bytesRead } = await handle.read(bytes, got, length - got, at + got);
    if (bytesRead === 0) throw new HoldfastError('SourceChanging', `${file} ended at ${at + got} bytes`);
    got += bytesRead;
  }
  return bytes;
}
