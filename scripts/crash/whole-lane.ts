/**
 * A small system of several parts, each time restored as a whole: a tree, a database, files that nobody needs, and a stack
 * that uses them. Its services note at every start what they find, so that none can have run on half of a restore.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { DockerCorner } from '../../test/support/docker.ts';
import { composeProject } from './compose-project.ts';
import { digestOf, LARGE_FILES, makeTree, replaceLarge, wreck } from './content.ts';
import type { Lane, LaneStore } from './lane.ts';

/** Small: what is struck is the story, not the bytes. */
const LARGE_BYTES = 512 * 1024;
const ASIDE = '.holdfast-aside-';

/** Which state this is: written into the tree and, as its user version, into the database. */
const STAMP = 'stamp';
/** Of what an accident has left. */
const LOST = 0;
/** Where the four bytes of the user version lie in a database's first page (https://sqlite.org/fileformat.html, 1.3.15). */
const NOTE_WHAT_IS_THERE = `echo "$(cat /tree/${STAMP}) $((0x$(busybox dd if=/database/shop.sqlite bs=1 skip=60 count=4 2>/dev/null | busybox hexdump -v -e '1/1 "%02x"')))" >> /seen/$SERVICE`;

export async function wholeLane(name: string, base: string, store: LaneStore, corner: DockerCorner): Promise<Lane> {
  mkdirSync(base, { recursive: true });
  const trees = ['tree', 'extra'].map((each) => path.join(base, each));
  const [tree = '', extra = ''] = trees;
  for (const each of trees) makeTree(each, LARGE_BYTES);
  const [databases, seen] = [path.join(base, 'database'), path.join(base, 'seen')];
  for (const each of [databases, seen]) mkdirSync(each);
  const file = path.join(databases, 'shop.sqlite');
  change(file, 'CREATE TABLE orders (id INTEGER PRIMARY KEY, words TEXT)');
  let state = LOST;
  let isLost = false;
  let gone: readonly string[] = [];
  const stamp = (now: number): void => {
    writeFileSync(path.join(tree, STAMP), `${now}\n`);
    change(file, `PRAGMA user_version = ${now}`);
  };
  stamp(state);
  const script = (service: string): string => `SERVICE=${service}; ${NOTE_WHAT_IS_THERE}`;
  const healthy = `test -f /tree/${STAMP}`;
  const binds = [`${tree}:/tree`, `${databases}:/database`, `${seen}:/seen`];
  const project = await composeProject(corner, base, [
    { name: 'api', script: script('api'), healthy, binds },
    { name: 'web', script: script('web'), healthy, binds, after: 'api' },
  ]);
  const digest = (): string =>
    createHash('sha256')
      .update([...trees.map(digestOf), contentOf(file)].join('\n'))
      .digest('hex');
  const own = (): string[] =>
    [base, databases, project.directory].flatMap((place) =>
      readdirSync(place)
        .filter((entry) => entry.startsWith('.holdfast-'))
        .map((entry) => path.join(place, entry)),
    );
  const here = (): number => Number(readFileSync(path.join(tree, STAMP), 'utf8'));
  const halves = (): string[] =>
    readdirSync(seen).flatMap((service) => {
      const lines = readFileSync(path.join(seen, service), 'utf8').trimEnd().split('\n');
      const mixed = lines.filter((line) => !/^(\d+) \1$/.test(line));
      const now = here();
      // What was changed behind its back, by this lane, it has not been started on.
      const isStale = isLost && now !== LOST && lines.at(-1) !== `${now} ${now}`;
      return [
        ...mixed.map((line) => `${service} was started on a tree and a database of different states: ${line}`),
        ...(isStale ? [`${service} was last started on ${lines.at(-1) ?? 'nothing'}, and ${now} is there`] : []),
      ];
    });
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
        stack: project.component,
      },
      plans: {
        now: { components: ['data', 'database', 'extra', 'stack'], stores: ['vault'], keep: { last: 1000 } },
      },
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
    hard: true,
    usesDocker: false,
    chunkDirectory: store.chunkDirectory,
    change: (part) => {
      state += 1;
      isLost = false;
      replaceLarge(tree, Math.floor(part * LARGE_FILES), LARGE_BYTES);
      change(file, `INSERT INTO orders (words) VALUES ('changed ${String(part)}')`);
      stamp(state);
      return Promise.resolve(digest());
    },
    lose: async () => {
      // Every second time what would run on the lost state is gone as well.
      gone = state % 2 === 0 ? ['web'] : [];
      for (const service of gone) await project.remove(await project.container(service));
      for (const each of trees) wreck(each);
      change(file, 'DELETE FROM orders');
      stamp(LOST);
      isLost = true;
      return undefined;
    },
    digest: () => Promise.resolve(digest()),
    // Also when a person has been told of a clean failure: what was made beside is gone, what was swapped is whole.
    troubles: async () => [
      ...own()
        .filter((entry) => !path.basename(entry).startsWith(ASIDE))
        .map((entry) => `${entry} is left`),
      ...(await project.troubles(isLost && here() === LOST ? gone : [])),
      ...halves(),
    ],
    forget: () => {
      for (const entry of own()) if (path.basename(entry).startsWith(ASIDE)) rmSync(entry, { recursive: true });
      return Promise.resolve();
    },
    close: () => project.close(),
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
    const queries = ['SELECT * FROM orders ORDER BY id', 'PRAGMA user_version'];
    return JSON.stringify(queries.map((query) => database.prepare(query).all()));
  } finally {
    database.close();
  }
}
