/** A tree and a database, bad every now and then: the newest clean backup is searched for and nothing is left of it. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { stateDirectory } from '../../src/system/home.ts';
import { WORKFLOWS, type CleanPointResult } from '../../src/workflows/contract.ts';
import { digestOf, LARGE_FILES, makeTree, replaceLarge } from './content.ts';
import type { Lane, LaneStore } from './lane.ts';

/** Small: what is struck is the story, not the bytes. */
const LARGE_BYTES = 256 * 1024;
const LOOKED_AT = 4;
const MARK = 'hostage.txt';

export function cleanLane(name: string, base: string, store: LaneStore): Lane {
  mkdirSync(base, { recursive: true });
  const tree = path.join(base, 'tree');
  const file = path.join(base, 'shop.sqlite');
  makeTree(tree, LARGE_BYTES);
  run(file, 'CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)');
  const epochs: Epoch[] = [];
  const digest = (): string => createHash('sha256').update(digestOf(tree)).update(readFileSync(file)).digest('hex');
  return {
    name,
    system: {
      system: name,
      hosts: [name],
      stores: { vault: store.config },
      components: { data: { kind: 'files', path: tree }, shop: { kind: 'sqlite', path: file } },
      plans: { now: { components: ['data', 'shop'], stores: ['vault'], keep: { last: 1000 } } },
      cleanPoint: {
        components: ['data', 'shop'],
        command: ['sh', '-c', `if [ -d {} ]; then test ! -e {}/${MARK}; else exit 0; fi`],
        queries: {
          strangers: { component: 'shop', query: "select count(*) from users where name = 'intruder'", equals: 0 },
        },
        backups: LOOKED_AT,
        // Random bytes that change each time are what this lane's data is.
        entropy: false,
        changes: false,
      },
    },
    rounds: [['backup', 'errand']],
    usesDocker: false,
    chunkDirectory: store.chunkDirectory,
    // Each backup was judged, and rightly.
    errand: { workflow: WORKFLOWS.cleanPoint, wrong: (found) => judge(found as CleanPointResult, epochs) },
    hard: true,
    change: (part) => {
      replaceLarge(tree, Math.floor(part * LARGE_FILES), LARGE_BYTES);
      const badTree = part < 0.3;
      const badRows = part > 0.7;
      if (badTree) writeFileSync(path.join(tree, MARK), 'pay');
      else rmSync(path.join(tree, MARK), { force: true });
      run(file, 'DELETE FROM users');
      run(file, `INSERT INTO users (name) VALUES ('${badRows ? 'intruder' : 'ann'}')`);
      epochs.push({ fromMs: Date.now(), clean: !badTree && !badRows });
      return Promise.resolve(digest());
    },
    lose: () => Promise.resolve(undefined),
    digest: () => Promise.resolve(digest()),
    troubles: () => Promise.resolve([...copiesLeft(base), ...notesLeft(name)]),
    forget: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

interface Epoch {
  readonly fromMs: number;
  readonly clean: boolean;
}

function judge({ outcome, backup, verdicts }: CleanPointResult, epochs: readonly Epoch[]): string | undefined {
  const isClean = (pointAt: string): boolean =>
    epochs.findLast(({ fromMs }) => fromMs <= Date.parse(pointAt))?.clean === true;
  for (const one of verdicts) {
    if (one.state === 'unknown') continue;
    if ((one.state === 'clean') !== isClean(one.pointAt)) throw new Error(`${one.backup} was taken for ${one.state}`);
  }
  const open = verdicts.filter(({ state }) => state === 'unknown');
  if (open.length > 0) return `nobody knows whether ${open.map((one) => one.backup).join(', ')} is clean`;
  const newest = verdicts.find(({ pointAt }) => isClean(pointAt))?.backup;
  if (backup !== newest || (outcome === 'found') !== (newest !== undefined)) {
    throw new Error(`${backup ?? 'none'} was found where ${newest ?? 'none'} is the newest that is clean`);
  }
  return verdicts.length === Math.min(LOOKED_AT, epochs.length) || verdicts.length === LOOKED_AT
    ? undefined
    : `${verdicts.length} backups were looked at`;
}

function run(file: string, sql: string): void {
  const database = new DatabaseSync(file, { timeout: 30_000 });
  database.exec(sql);
  database.close();
}

function copiesLeft(base: string): string[] {
  return readdirSync(base).flatMap((entry) => (entry.startsWith('.holdfast-') ? [`${entry} is left`] : []));
}

/** What tells of a run that is under way, and places that programs work in. */
function notesLeft(name: string): string[] {
  return ['runs', 'restores', 'scratch'].flatMap((room) => {
    const directory = path.join(stateDirectory(name), room);
    return existsSync(directory) ? readdirSync(directory).map((entry) => `${room}/${entry} is left`) : [];
  });
}
