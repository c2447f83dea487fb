/**
 * What was read of immutable records before, in a file of the state directory: one line a record, with a checksum of its
 * own. Several processes may read and add at once: lines are added in one write, a torn or a doubled one harms nothing, and
 * what is lost is read from the store again. Nothing in it is older than the object it is of: a line counts for the same
 * key, size and time, judged by the same signers.
 */
import { createHash } from 'node:crypto';
import { appendFile, readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import type { ObjectInfo } from '../stores/store.ts';

const lineSchema = z.object({
  k: z.string(),
  s: z.number(),
  m: z.number(),
  /** Whose word it was judged by. */
  t: z.string(),
  v: z.unknown(),
});
type Line = z.infer<typeof lineSchema>;

/** More records than this are read each time: the file would only grow. */
const MOST = 100_000;
/** The file is written anew when so much of it is of use to nobody. */
const DEAD_SHARE = 0.5;
const DEAD_LEAST = 200;
const SUM_LENGTH = 16;

export class BriefCache {
  private readonly file: string;
  private readonly trust: string;
  private known = new Map<string, Line>();
  private lines = 0;
  private readonly added: Line[] = [];
  private readonly used = new Set<string>();

  constructor(file: string, trust: string) {
    this.file = file;
    this.trust = trust;
  }

  /** A file that is not there, or that can't be read, is an empty one. */
  async open(): Promise<void> {
    const text = await readFile(this.file, 'utf8').catch(() => '');
    for (const raw of text.split('\n')) {
      if (raw === '') continue;
      this.lines += 1;
      const line = parseLine(raw);
      if (line !== undefined && line.t === this.trust) this.known.set(line.k, line);
    }
  }

  /** What was kept for exactly this object, in the shape of `schema`; undefined otherwise. */
  get<T>({ key, sizeBytes, modifiedAtMs }: ObjectInfo, schema: z.ZodType<T>): T | undefined {
    const line = this.known.get(key);
    if (line === undefined || line.s !== sizeBytes || line.m !== modifiedAtMs) return undefined;
    const parsed = schema.safeParse(line.v);
    if (!parsed.success) return undefined;
    this.used.add(key);
    return parsed.data;
  }

  add({ key, sizeBytes, modifiedAtMs }: ObjectInfo, value: unknown): void {
    if (this.used.size + this.added.length >= MOST) return;
    this.added.push({ k: key, s: sizeBytes, m: modifiedAtMs, t: this.trust, v: value });
  }

  /** Keeps what was added; what no object asked for goes when there is much of it. Throws what the file system throws. */
  async save(): Promise<void> {
    const live = this.used.size + this.added.length;
    const dead = this.lines - this.used.size;
    if (dead > DEAD_LEAST && dead > DEAD_SHARE * (dead + live)) {
      const kept = [...this.used].flatMap((key) => this.known.get(key) ?? []);
      const fresh = `${this.file}.${process.pid}.new`;
      await writeFile(fresh, textOf([...kept, ...this.added]), { mode: 0o600 });
      await rename(fresh, this.file);
      return;
    }
    if (this.added.length > 0) await appendFile(this.file, textOf(this.added), { mode: 0o600 });
  }
}

/** Begins with a line break: what another process left torn is not made part of the first line. */
function textOf(lines: readonly Line[]): string {
  return `\n${lines.map(printLine).join('\n')}\n`;
}

function printLine(line: Line): string {
  const json = JSON.stringify(line);
  return `${sumOf(json)} ${json}`;
}

function parseLine(raw: string): Line | undefined {
  const json = raw.slice(SUM_LENGTH + 1);
  if (raw.slice(0, SUM_LENGTH) !== sumOf(json)) return undefined;
  try {
    return lineSchema.parse(JSON.parse(json));
  } catch {
    // Of another version of this program.
    return undefined;
  }
}

function sumOf(json: string): string {
  return createHash('sha256').update(json).digest('hex').slice(0, SUM_LENGTH);
}
