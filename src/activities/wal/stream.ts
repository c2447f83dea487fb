/** Streams a log from where the store's ends, piece by piece into the store, and tells the server what it may forget. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { HoldfastError } from '../../failures.ts';
import { formatLsn, parseHistory, startOfSegment, type TimelineSwitch } from '../../policy/lsn.ts';
import { resumeAt, type Resume, type ServerLog } from '../../policy/wal-resume.ts';
import { postgresFailure } from '../../postgres/errors.ts';
import { identifySystem, segmentBytesOf, timelineHistory, type ServerIdentity } from '../../postgres/replication.ts';
import { startWalStream, type WalStream } from '../../postgres/wal-stream.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import { WAL_BLOCK_BYTES, type WalCluster, type WalWriter } from '../../vault/index.ts';
import type { WalTurn } from '../types.ts';
import { WalBlocks, type Piece } from './blocks.ts';
import type { ServerWatch } from './server-watch.ts';
import { markTurn } from './turn.ts';

/** SQLSTATE undefined_file: what the server says of a segment that it has removed. */
const REMOVED = '58P01';
const CONFIRM_EVERY_MS = 5_000;
/** The server answers each confirmation: after this long without a word the connection is dead. */
const SILENT_MS = 40_000;
/** What the server had flushed when it was looked at comes within this time, or it is not waited for. */
const CATCH_UP_MS = 1_000;
const CATCH_UP_STEP_MS = 10;
const SETTLE_EVERY_MS = 1_000;

/** What the server had acknowledged before `atMs`, by its clock, lies at or before `lsn`. */
interface Observed {
  readonly atMs: number;
  readonly lsn: bigint;
}

/** What the outside sees of a stream. */
export interface StreamSight {
  timeline?: number;
  received?: bigint;
  stored?: bigint;
  /** By the server's clock: what it had acknowledged before is durable in the store. */
  recoveryPointMs?: number;
}

export interface StreamOptions {
  readonly access: PostgresAccess;
  readonly watch: ServerWatch;
  readonly writer: WalWriter;
  readonly slot: string;
  readonly everySeconds: number;
  readonly mark: string | undefined;
  readonly sight: StreamSight;
  /** The stream runs: whatever was wrong before is over. */
  readonly onRunning: () => void;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

interface Server extends ServerLog, ServerIdentity {
  readonly timeline: number;
}

/**
 * One connection's worth. Returns what the workflow has to know first, or undefined when the stream ended and may begin
 * again: a timeline was read to its end, the server stopped, a gap was written down.
 */
export async function streamOnce(options: StreamOptions): Promise<WalTurn | undefined> {
  const { access, watch, writer, signal } = options;
  const replication = await access.connect({ replication: true, signal });
  try {
    const server = await askServer(replication, writer, options.sight);
    const clusters = await writer.inventory({ signal });
    const turn = markTurn(server.systemIdentifier, clusters, options.mark);
    if (turn !== undefined) return turn;
    const cluster = clusters.find((one) => one.systemIdentifier === server.systemIdentifier);
    await ensureSlot(options);
    const { slot, lsn } = await watch.look();
    const resume = resumeAt([...(cluster?.intervals ?? []), ...(cluster?.gaps ?? [])], server, slot.restartLsn ?? lsn);
    try {
      await new Pump(options, replication, server, resume, cluster).run();
    } catch (error) {
      if (!wasRemoved(error)) throw error;
      await writeGapDown(options, server, resume);
    }
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    throw postgresFailure(error, 'receive the write-ahead log');
  } finally {
    await endOf(replication);
  }
}

async function askServer(replication: Client, writer: WalWriter, sight: StreamSight): Promise<Server> {
  const { systemIdentifier, timeline } = await identifySystem(replication);
  const segmentBytes = await segmentBytesOf(replication);
  let history: TimelineSwitch[] = [];
  if (timeline > 1) {
    const bytes = await timelineHistory(replication, timeline);
    history = parseHistory(bytes.toString('utf8'));
    await writer.storeHistory({ systemIdentifier, timeline, bytes, receivedAtMs: Date.now() });
  }
  sight.timeline = timeline;
  return { systemIdentifier, timeline, segmentBytes, history };
}

/** Only here, when the vault is open: a slot that nobody reads from would fill the server's disk. */
async function ensureSlot({ watch, slot, say }: StreamOptions): Promise<void> {
  const { slot: state } = await watch.look();
  if (state.exists && state.walStatus !== 'lost') return;
  if (state.exists) {
    say(`the server has given the slot ${slot} up: it is made anew`);
    await watch.dropSlot();
  } else say(`the slot ${slot} is made`);
  await watch.createSlot();
}

/** The server has removed what comes next: from where it can serve again, and what is lost for good. */
async function writeGapDown(options: StreamOptions, server: Server, resume: Resume): Promise<void> {
  const { watch, writer, slot, say } = options;
  let sight = await watch.look();
  if (sight.slot.restartLsn === undefined || sight.slot.restartLsn <= resume.at) {
    // A slot that holds nothing of what is needed is of no use.
    await watch.dropSlot();
    await watch.createSlot();
    sight = await watch.look();
  }
  const begin = sight.slot.restartLsn ?? sight.lsn;
  let to = startOfSegment(begin > resume.at ? begin : sight.lsn, server.segmentBytes);
  if (to <= resume.at) to = startOfSegment(resume.at, server.segmentBytes) + BigInt(server.segmentBytes);
  // Nothing was stored yet, so nothing is torn: the log simply begins later.
  if (resume.first) return;
  const why = `the server had removed this part of its log when it was asked for by the slot ${slot}`;
  say(`a gap: ${formatLsn(resume.at)} to ${formatLsn(to)} of timeline ${resume.timeline}`);
  const { systemIdentifier } = server;
  await writer.recordGap({ systemIdentifier, timeline: resume.timeline, from: resume.at, to, why });
}

function wasRemoved(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return code === REMOVED || /has already been removed/.test(message ?? '');
}

async function endOf(replication: Client): Promise<void> {
  const limit = AbortSignal.timeout(2_000);
  const goodbye = replication.end().catch(() => undefined);
  const late = sleep(2_000, undefined, { signal: limit }).catch(() => undefined);
  await Promise.race([goodbye, late]);
  const { connection } = replication as unknown as { connection: { stream: { destroy(): void } } };
  connection.stream.destroy();
}

/** Moves the bytes of one stream into the store. */
class Pump {
  private readonly the: StreamOptions;
  private readonly server: Server;
  private readonly timeline: number;
  private readonly blocks: WalBlocks;
  private readonly stream: WalStream;
  /** The last piece that was stored in the block that comes again, to be compared with what comes now. */
  private compare: { readonly from: bigint; readonly to: bigint } | undefined;
  private wake = Promise.withResolvers<undefined>();
  private finished = false;
  private durable: bigint;
  private confirmedAtMs = 0;
  private tickedAtMs = Date.now();
  private settledAtMs = Date.now();

  constructor(
    options: StreamOptions,
    replication: Client,
    server: Server,
    resume: Resume,
    cluster: WalCluster | undefined,
  ) {
    this.the = options;
    this.server = server;
    this.timeline = resume.timeline;
    this.durable = resume.at;
    const blockBytes = Math.min(WAL_BLOCK_BYTES, server.segmentBytes);
    const start = resume.at - (resume.at % BigInt(blockBytes));
    this.blocks = new WalBlocks(start, resume.at, blockBytes);
    this.compare = lastPiece(cluster, resume, start);
    this.stream = startWalStream(replication, {
      slot: options.slot,
      timeline: resume.timeline,
      from: start,
      onData: (from, bytes) => {
        this.blocks.append(from, bytes);
        options.sight.received = this.blocks.received;
        if (this.blocks.crowded) this.stream.pause();
        this.wake.resolve(undefined);
      },
      onAsked: () => {
        this.confirm();
      },
    });
  }

  async run(): Promise<void> {
    const { signal, everySeconds } = this.the;
    const onAbort = (): void => this.wake.resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    const ended = this.stream.ended.finally(() => {
      this.finished = true;
      this.wake.resolve(undefined);
    });
    ended.catch(() => undefined);
    try {
      while (!this.finished && !signal.aborted) {
        await this.storeFull();
        const dueInMs = this.tickedAtMs + everySeconds * 1000 - Date.now();
        if (dueInMs <= 0) await this.storeBegun();
        this.keepInTouch();
        await this.nextEvent(Math.min(Math.max(dueInMs, 0), 1_000));
      }
      // What came before the end counts, also when the end is a failure or a cancel.
      await this.storeFull();
      await this.storeBegun();
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    signal.throwIfAborted();
    await ended;
  }

  /** Until a block is full, the stream has ended, or the time is over. */
  private async nextEvent(limitMs: number): Promise<void> {
    const until = Date.now() + limitMs;
    while (!this.finished && !this.the.signal.aborted && this.blocks.fullBlock() === undefined) {
      const left = until - Date.now();
      if (left <= 0) return;
      this.wake = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => this.wake.resolve(undefined), left);
      await this.wake.promise;
      clearTimeout(timer);
    }
  }

  /** One sync may cover several blocks: it costs more than they do. */
  private async storeFull(): Promise<void> {
    for (let piece = this.blocks.fullBlock(); piece !== undefined; piece = this.blocks.fullBlock()) {
      this.compare = undefined;
      await this.store(piece, undefined);
      this.stream.resume();
      if (Date.now() - this.settledAtMs >= SETTLE_EVERY_MS) await this.settle(undefined);
    }
  }

  /** What the server had acknowledged by now is waited for and stored, so that the recovery point moves with the clock. */
  private async storeBegun(): Promise<void> {
    this.tickedAtMs = Date.now();
    await this.compareAgain();
    const covers = await this.observe();
    await this.storeFull();
    const piece = this.blocks.begun();
    if (piece !== undefined) await this.store(piece, covers);
    await this.settle(covers);
  }

  private async observe(): Promise<Observed | undefined> {
    if (this.isOver()) return undefined;
    const { atMs, lsn, inRecovery } = await this.the.watch.look();
    const until = Date.now() + CATCH_UP_MS;
    while (this.blocks.received < lsn && Date.now() < until && !this.isOver() && !this.blocks.crowded) {
      await sleep(CATCH_UP_STEP_MS);
    }
    // A standby has acknowledged nothing to anybody; and on a timeline that was left nothing is acknowledged any more.
    return inRecovery || this.timeline !== this.server.timeline ? undefined : { atMs, lsn };
  }

  private async store(piece: Piece, covers: Observed | undefined): Promise<void> {
    const { writer } = this.the;
    const { systemIdentifier, segmentBytes } = this.server;
    const to = piece.from + BigInt(piece.bytes.length);
    await writer.storeRange({
      systemIdentifier,
      timeline: this.timeline,
      segmentBytes,
      from: piece.from,
      bytes: piece.bytes,
      receivedAtMs: Date.now(),
      ...(covers === undefined || covers.lsn > to ? {} : { coversUntilMs: covers.atMs }),
    });
    this.blocks.done(piece);
  }

  /** Makes what is stored durable; only then may the server forget it. */
  private async settle(covers: Observed | undefined): Promise<void> {
    const { sight, writer } = this.the;
    const storedTo = this.blocks.storedTo;
    await writer.sync();
    this.settledAtMs = Date.now();
    this.durable = storedTo;
    sight.stored = storedTo;
    if (covers !== undefined && covers.lsn <= storedTo) sight.recoveryPointMs = covers.atMs;
    this.confirm();
  }

  /** A server that was put back, or another one, would go on with bytes that don't fit what is stored. */
  private async compareAgain(): Promise<void> {
    const piece = this.compare === undefined ? undefined : this.blocks.again(this.compare.from, this.compare.to);
    if (piece === undefined) return;
    const { systemIdentifier, segmentBytes } = this.server;
    const { timeline } = this;
    await this.the.writer.storeRange({ systemIdentifier, timeline, segmentBytes, ...piece, receivedAtMs: Date.now() });
    this.compare = undefined;
  }

  private isOver(): boolean {
    return this.finished || this.the.signal.aborted;
  }

  private keepInTouch(): void {
    if (this.finished) return;
    this.the.onRunning();
    if (Date.now() - this.confirmedAtMs >= CONFIRM_EVERY_MS) this.confirm();
    if (Date.now() - this.stream.heardAtMs() < SILENT_MS || this.blocks.crowded) return;
    throw new HoldfastError('PostgresUnreachable', `the server has not answered for ${SILENT_MS / 1000} s`);
  }

  private confirm(): void {
    if (this.finished) return;
    this.confirmedAtMs = Date.now();
    this.stream.confirm(this.blocks.received, this.durable);
  }
}

/** The piece that reaches to where the stream goes on, when it lies in the block that comes again. */
function lastPiece(
  cluster: WalCluster | undefined,
  { timeline, at }: Resume,
  start: bigint,
): { from: bigint; to: bigint } | undefined {
  const last = cluster?.intervals.find((interval) => interval.timeline === timeline && interval.to === at);
  const found = /\.([0-9A-F]{16})-([0-9A-F]{16})$/.exec(last?.lastKey ?? '');
  if (found === null) return undefined;
  const [from, to] = found.slice(1).map((digits) => BigInt(`0x${digits}`));
  return from !== undefined && to !== undefined && from >= start ? { from, to } : undefined;
}
