/** Progress of an operation on a terminal: one bar; elsewhere a plain line whenever the phase changes. */
import cliProgress from 'cli-progress';
import { formatBytes, formatCount, formatMilliseconds } from './format.ts';

export interface ProgressFacts {
  readonly phase: string;
  readonly bytesDone?: number | undefined;
  readonly bytesTotal?: number | undefined;
  readonly filesDone?: number | undefined;
}

export interface ProgressView {
  show(facts: ProgressFacts): void;
  /** Takes the bar away for now, so that something else can be written; the next `show` brings it back. */
  hide(): void;
  /** Takes the bar away; a later `show` does nothing. */
  stop(): void;
}

export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

/** What is known of the amount, in words: `12 MiB of 1.2 GiB, 30 files`. */
export function amountText({ bytesDone, bytesTotal, filesDone }: ProgressFacts): string {
  const bytes =
    bytesDone === undefined
      ? undefined
      : bytesTotal === undefined
        ? formatBytes(bytesDone)
        : `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`;
  const files = filesDone === undefined || filesDone === 0 ? undefined : formatCount(filesDone, 'file');
  return [bytes, files].filter((text) => text !== undefined).join(', ');
}

/** A view on the stream (stderr, so that results on stdout stay clean). */
export function createProgress(stream: ProgressStream & NodeJS.WritableStream, now = Date.now): ProgressView {
  return stream.isTTY === true ? barView(stream, now) : lineView(stream);
}

function barView(stream: NodeJS.WritableStream, now: () => number): ProgressView {
  const startedAt = now();
  const bar = new cliProgress.SingleBar({
    stream,
    clearOnComplete: true,
    hideCursor: true,
    // Without a known total the bar would show a false percentage, so the text carries all of it.
    format: (_options, _params, payload: ProgressFacts) => barText(payload, now() - startedAt),
    fps: 5,
  });
  let ended = false;
  let started = false;
  return {
    show(facts) {
      if (ended) return;
      if (started) bar.update(facts.bytesDone ?? 0, facts);
      else bar.start(facts.bytesTotal ?? 0, facts.bytesDone ?? 0, facts);
      started = true;
    },
    hide() {
      if (started) bar.stop();
      started = false;
    },
    stop() {
      if (started) bar.stop();
      started = false;
      ended = true;
    },
  };
}

const BAR_WIDTH = 24;

/** One line: the bar where a total is known, the phase, the amount, the time since the start. */
export function barText(facts: ProgressFacts, elapsedMs: number): string {
  const { bytesDone = 0, bytesTotal } = facts;
  const share = bytesTotal === undefined || bytesTotal === 0 ? undefined : Math.min(1, bytesDone / bytesTotal);
  const filled = Math.round((share ?? 0) * BAR_WIDTH);
  const bar =
    share === undefined ? '' : `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)} ${Math.floor(share * 100)} % `;
  const amount = amountText(facts);
  return `${bar}${facts.phase}${amount === '' ? '' : ` · ${amount}`} · ${formatMilliseconds(elapsedMs)}`;
}

function lineView(stream: ProgressStream): ProgressView {
  let last = '';
  let ended = false;
  return {
    show(facts) {
      if (ended || facts.phase === last) return;
      last = facts.phase;
      stream.write(`${facts.phase}\n`);
    },
    hide() {
      // A line that was written stays.
    },
    stop() {
      ended = true;
    },
  };
}
