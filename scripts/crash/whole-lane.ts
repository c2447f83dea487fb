/** A small system of several parts, each time restored as a whole: a tree, a database, and files that nobody needs. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { digestOf, LARGE_FILES, makeTree, replaceLarge, wreck } from './content.ts';
import type { Lane, LaneStore } from './lane.ts';

/** Small: what is struck is the story, not the bytes. */
const LARGE_BYTES = 512 * 1024;
const ASIDE = '.holdfast-aside-';

export function wholeLane(name: string, base: string, store: LaneStore): Lane {
  mkdirSync(base, { recursive: true });
  const trees = ['tree', 'extra'].map((each) => path.join(base, each));
  const [tree = '', extra = ''] = trees;
  for (const each of trees) makeTree(each, LARGE_BYTES);
  const file = path.join(base, 'shop.sqlite');
  change(file, 'CREATE TABLE orders (id INTEGER PRIMARY KEY, words TEXT)');
  const digest = (): string =>
    createHash('sha256')
      .update([...trees.map(digestOf), contentOf(file)].join('\n'))
      .digest('hex');
  const own = (): string[] => readdirSync(base).filter((entry) => entry.startsWith('.holdfast-'));
  return {
    name,
    system: {
      system: name,
      hosts: [name],
      stores: { vault: store.config },
      components: {
        data: { kind: 'files', path: tree, tier: 'critical' },
        database: { kind: 'sqlite', path: file, tier: 'critical', after: ['data'] },
        extra: { kind: 'files', path: extra, tier: 'reference' },
      },
      plans: { now: { components: ['data', 'database', 'extra'], stores: ['vault'], keep: { last: 1000 } } },
      checks: {
        orders: { sql: { component: 'database', query: 'select count(*) from orders', atLeast: 1 }, within: '30s' },
        files: { command: ['test', '-f', path.join(tree, 'large-0.bin')], within: '60s' },
      },
      reconcile: {
        orders: { sql: { component: 'database', query: "select id, 'words', words from orders where words is null" } },
      },
      objectives: { rto: '1h' },
    },
    restoring: { whole: true },
    usesDocker: false,
    chunkDirectory: store.chunkDirectory,
    change: (part) => {
      replaceLarge(tree, Math.floor(part * LARGE_FILES), LARGE_BYTES);
      change(file, `INSERT INTO orders (words) VALUES ('changed ${String(part)}')`);
      return Promise.resolve(digest());
    },
    lose: () => {
      for (const each of trees) wreck(each);
      change(file, 'DELETE FROM orders');
      return Promise.resolve(undefined);
    },
    digest: () => Promise.resolve(digest()),
    // Also when a person has been told of a clean failure: what was made beside is gone, what was swapped is whole.
    troubles: () =>
      Promise.resolve(
        own()
          .filter((entry) => !entry.startsWith(ASIDE))
          .map((entry) => `${entry} is left`),
      ),
    forget: () => {
      for (const entry of own()) if (entry.startsWith(ASIDE)) rmSync(path.join(base, entry), { recursive: true });
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}

function change(file: string, sql: string): void {
  const database = new DatabaseSync(file, { timeout: 30_000 });
  database.exec(sql);
  database.close();
}

function contentOf(file: string): string {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return JSON.stringify(database.prepare('SELECT * FROM orders ORDER BY id').all());
  } finally {
    database.close();
  }
}
