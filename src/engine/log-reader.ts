/** Reads the logs of the engine's processes as lines: what is there, and what comes. */
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { byTime, parseLogLine, type LogLine } from '../observe/log-lines.ts';
import { logFiles } from './log-files.ts';

const POLL_MS = 300;
const PIECE_BYTES = 256 * 1024;
/** Lines are cut in batches. */
const SLACK = 1000;

/** How far one file is read, and what is not a whole line yet. */
interface Place {
  atBytes: number;
  rest: string;
  decoder: InstanceType<typeof TextDecoder>;
  last: { atMs: number };
}

export class LogReader {
  private readonly places = new Map<string, Place>();

  /** The last lines that are wanted, at most so many of each log, oldest first. The files may be large: only these are kept. */
  async last(isWanted: (line: LogLine) => boolean, most: number): Promise<LogLine[]> {
    const lines: LogLine[] = [];
    for (const { name, files } of logFiles()) {
      const own: LogLine[] = [];
      for (const file of files) {
        await this.readOn(file, name, (line) => {
          if (!isWanted(line)) return;
          own.push(line);
          if (own.length >= 2 * most + SLACK) own.splice(0, own.length - most);
        });
      }
      lines.push(...own);
    }
    return most === 0 ? [] : byTime(lines).slice(-most);
  }

  /** What is written from now on, in batches, until the signal. Files that appear or begin again are followed too. */
  async *follow(signal: AbortSignal): AsyncGenerator<LogLine[], void> {
    while (!signal.aborted) {
      const lines: LogLine[] = [];
      for (const { name, files } of logFiles()) {
        const current = files.at(-1);
        if (current !== undefined) await this.readOn(current, name, (line) => lines.push(line));
      }
      if (lines.length > 0) yield byTime(lines);
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private async readOn(file: string, name: string, onLine: (line: LogLine) => void): Promise<void> {
    const handle = await open(file, 'r');
    try {
      const { size, birthtimeMs } = await handle.stat();
      const known = this.places.get(file);
      // A file that is shorter now was put aside and begun again; what was written in between is in the file beside it.
      const place = known === undefined || size < known.atBytes ? newPlace(birthtimeMs) : known;
      this.places.set(file, place);
      const piece = new Uint8Array(PIECE_BYTES);
      for (;;) {
        const { bytesRead } = await handle.read(piece, 0, piece.length, place.atBytes);
        if (bytesRead === 0) return;
        place.atBytes += bytesRead;
        place.rest += place.decoder.decode(piece.subarray(0, bytesRead), { stream: true });
        for (const line of wholeLines(place, name)) onLine(line);
      }
    } finally {
      await handle.close();
    }
  }
}

function newPlace(atMs: number): Place {
  return { atBytes: 0, rest: '', decoder: new TextDecoder(), last: { atMs } };
}

function wholeLines(place: Place, name: string): LogLine[] {
  const texts = place.rest.split('\n');
  place.rest = texts.pop() ?? '';
  return texts
    .filter((text) => text.trim() !== '')
    .map((text) => {
      const line = parseLogLine(text, name, place.last);
      place.last = line;
      return line;
    });
}
