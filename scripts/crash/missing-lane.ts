/** Files and rows are deleted and garbled, and only these come back: somebody looks on whether any file is ever half there. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { stateDirectory } from '../../src/system/home.ts';
import type { Lane, LaneStore } from './lane.ts';

const DIRECTORIES = 8;
/** So many that putting them back takes a while in which it can be struck. */
const FILES_EACH = 120;
const ROWS = 3000;
const ASIDE = '.holdfast-aside-missing-';
const LOOK_EVERY_MS = 100;

/** Of a lane of which single files and rows come back. */
export interface MissingLane {
  /** Which these are, as the inputs of the workflows say it. */
  readonly files: object;
  readonly rows: object;
  /** Deletes and garbles files and rows. */
  lose(): void;
  /** The digest of what there must be when the files are back, and when the rows are too. */
  wanted(): { readonly files: string; readonly all: string };
  /** The runs that have put something back, the newest first. */
  runs(): string[];
  /** Looks at the live files and rows until the work is done. Throws when one was half there, or gone for a moment. */
  watched<T>(work: () => Promise<T>): Promise<T>;
}

/** By path: `directory`, or a digest of mode and bytes. */
type Snapshot = ReadonlyMap<string, string>;

export function missingLane(name: string, base: string, store: LaneStore): Lane {
  mkdirSync(base, { recursive: true });
  const tree = path.join(base, 'tree');
  const file = path.join(base, 'shop.sqlite');
  let backedUp: Snapshot = new Map();
  let lost: Snapshot = new Map();
  /** As they were backed up, and as they were left. */
  let rows: readonly string[] = [];
  const digest = (): string => digestOf(snapshotOf(tree), rowsOf(file));
  const own = (): string[] => readdirSync(base).filter((entry) => entry.startsWith('.holdfast-'));
  return {
    name,
    system: {
      system: name,
      hosts: [name],
      stores: { vault: store.config },
      components: { data: { kind: 'files', path: tree }, shop: { kind: 'sqlite', path: file } },
      plans: { now: { components: ['data', 'shop'], stores: ['vault'], keep: { last: 1000 } } },
    },
    rounds: [
      ['missing', 'undo'],
      ['missing', 'rows'],
    ],
    hard: true,
    usesDocker: false,
    chunkDirectory: store.chunkDirectory,
    missing: {
      files: { component: 'data', changed: true },
      rows: { component: 'shop', table: 'orders', onChanged: 'restore' },
      lose: () => {
        loseFiles(tree);
        lost = snapshotOf(tree);
        inDatabase(file, "DELETE FROM orders WHERE id % 3 = 0; UPDATE orders SET words = 'garbled' WHERE id % 5 = 0");
        rows = [...rows, rowsOf(file)];
      },
      wanted: () => {
        const files = new Map([...lost, ...backedUp]);
        return { files: digestOf(files, rows.at(-1) ?? ''), all: digestOf(files, rows[0] ?? '') };
      },
      runs: () => runsOf(name),
      watched: async (work) => {
        const over = new AbortController();
        const done = work().finally(() => {
          over.abort();
        });
        const [value] = await Promise.all([done, lookOn({ tree, file, backedUp, lost, rows }, over.signal)]);
        return value;
      },
    },
    change: (part) => {
      fill(tree, file, part);
      backedUp = snapshotOf(tree);
      lost = backedUp;
      rows = [rowsOf(file)];
      return Promise.resolve(digest());
    },
    lose: () => Promise.resolve(undefined),
    digest: () => Promise.resolve(digest()),
    troubles: () =>
      Promise.resolve([
        ...own()
          .filter((entry) => !entry.startsWith(ASIDE))
          .map((entry) => `${entry} is left`),
        ...notesLeft(name),
      ]),
    forget: () => {
      for (const entry of own()) if (entry.startsWith(ASIDE)) rmSync(path.join(base, entry), { recursive: true });
      rmSync(path.join(stateDirectory(name), 'missing'), { recursive: true, force: true });
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}

/** As it was at first, with other words: what an undo left lost is there again. */
function fill(tree: string, file: string, part: number): void {
  rmSync(tree, { recursive: true, force: true });
  for (let directory = 0; directory < DIRECTORIES; directory += 1) {
    const each = path.join(tree, `${directory}`, 'inner');
    mkdirSync(each, { recursive: true });
    for (let number = 0; number < FILES_EACH; number += 1) {
      writeFileSync(path.join(each, `${number}.txt`), `record ${number} of ${directory}, ${part}\n`.repeat(number + 1));
    }
  }
  inDatabase(
    file,
    `CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, words TEXT);
     DELETE FROM orders;
     WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ${ROWS})
     INSERT INTO orders SELECT id, 'order ' || id || ' of ${part}' FROM n`,
  );
}

/** A directory with all in it, files here and there; some garbled, some that the backup doesn't know. */
function loseFiles(tree: string): void {
  rmSync(path.join(tree, '0'), { recursive: true });
  for (let directory = 1; directory < DIRECTORIES; directory += 1) {
    const at = (number: number): string => path.join(tree, `${directory}`, 'inner', `${number}.txt`);
    for (let number = 0; number < FILES_EACH; number += 2) rmSync(at(number));
    for (let number = 1; number < FILES_EACH; number += 4) writeFileSync(at(number), `garbled ${number}\n`);
    writeFileSync(path.join(tree, `${directory}`, 'new.txt'), 'written since');
  }
}

function snapshotOf(directory: string): Snapshot {
  const found = new Map<string, string>();
  for (const entry of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const print = printOf(path.join(directory, entry));
    if (print !== undefined) found.set(entry, print);
  }
  return found;
}

/** Undefined when it is gone by now. */
function printOf(file: string): string | undefined {
  const facts = statSync(file, { throwIfNoEntry: false });
  if (facts === undefined) return undefined;
  const mode = facts.mode.toString(8);
  if (facts.isDirectory()) return `directory ${mode}`;
  try {
    return `${mode} ${createHash('sha256').update(readFileSync(file)).digest('hex')}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function digestOf(snapshot: Snapshot, rows: string): string {
  const lines = [...snapshot].map(([entry, print]) => `${entry}\0${print}`).sort();
  return createHash('sha256')
    .update([...lines, rows].join('\n'))
    .digest('hex');
}

function inDatabase(file: string, sql: string): void {
  const database = new DatabaseSync(file, { timeout: 30_000 });
  database.exec(sql);
  database.close();
}

function rowsOf(file: string): string {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 30_000 });
  try {
    return JSON.stringify(database.prepare('SELECT * FROM orders ORDER BY id').all());
  } finally {
    database.close();
  }
}

interface Seen {
  readonly tree: string;
  readonly file: string;
  readonly backedUp: Snapshot;
  readonly lost: Snapshot;
  readonly rows: readonly string[];
}

async function lookOn(seen: Seen, over: AbortSignal): Promise<void> {
  for (;;) {
    const last = over.aborted;
    look(seen);
    if (last) return;
    await sleep(LOOK_EVERY_MS, undefined, { signal: over }).catch(() => undefined);
  }
}

/** Every file is as it was lost or as it was backed up, and what was never lost is never away. */
function look({ tree, file, backedUp, lost, rows }: Seen): void {
  for (const entry of new Set([...backedUp.keys(), ...lost.keys()])) {
    const print = printOf(path.join(tree, entry));
    // Of a directory that comes back one by one, the mode may come last.
    const known = print?.startsWith('directory') === true ? undefined : print;
    if (known !== undefined && known !== backedUp.get(entry) && known !== lost.get(entry)) {
      throw new Error(`${entry} was neither as it was backed up nor as it was before`);
    }
    if (print === undefined && lost.has(entry)) throw new Error(`${entry} was away for a moment`);
  }
  if (!rows.includes(rowsOf(file))) throw new Error('half of the rows were back');
}

interface Noted {
  readonly at: number;
  readonly run: string;
}

function runsOf(name: string): string[] {
  const directory = path.join(stateDirectory(name), 'missing');
  if (!existsSync(directory)) return [];
  const applied = readdirSync(directory).flatMap((run): Noted[] => {
    const record = path.join(directory, run, 'record.json');
    if (!existsSync(record)) return [];
    const noted = JSON.parse(readFileSync(record, 'utf8')) as { appliedAtMs?: number };
    return noted.appliedAtMs === undefined ? [] : [{ at: noted.appliedAtMs, run }];
  });
  return applied.sort((one, other) => other.at - one.at).map(({ run }) => run);
}

/** What tells of a run that is under way, and copies; which rows came back and what they replaced is a person's to read. */
function notesLeft(name: string): string[] {
  return ['runs', 'rows'].flatMap((room) => {
    const directory = path.join(stateDirectory(name), room);
    if (!existsSync(directory)) return [];
    const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return files.filter((entry) => !entry.name.endsWith('.jsonl')).map((entry) => `${room}/${entry.name} is left`);
  });
}
