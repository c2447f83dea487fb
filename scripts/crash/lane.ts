/** A lane is a system of its own, on a host of its own, whose data the suite changes, loses and gets back. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import type { FaultProxy } from '../../test/support/fault-proxy.ts';
import { digestOf, LARGE_BYTES, LARGE_FILES, makeTree, replaceLarge, wreck } from './content.ts';
import type { MissingLane } from './missing-lane.ts';

/** The first is struck by even seeds, the second by odd ones. */
export type Round =
  | readonly ['backup', 'restore']
  | readonly ['receive', 'rows']
  /** Only what is missing comes back; that is taken back, or rows come back too. */
  | readonly ['missing', 'undo']
  | readonly ['missing', 'rows']
  /** The lane's errand instead of a restore. */
  | readonly ['backup', 'errand']
  /** Each after a loss of its own; the backup before them is not struck. */
  | readonly ['errand', 'second errand']
  /** In two stores: a copy, then a prune beside a capture. */
  | readonly ['copy', 'prune']
  /** Damage healed; then capture, copy, prunes and healing all at once. */
  | readonly ['heal', 'storm'];

export const USUAL_ROUND: Round = ['backup', 'restore'];

/** What a lane has done in the place of a restore: a workflow that is told the system's name alone. */
export interface Errand {
  readonly workflow: string;
  /** What of its result is not as it has to be. Throws when asking again can't mend it. */
  wrong(result: unknown): string | undefined;
}

/** Of a lane whose log is received. */
export interface ClusterLane {
  /** The moment before the newest loss. */
  recoverTo(): string;
  /** Commits for a moment. Throws when an acknowledged transaction is gone afterwards. */
  write(): Promise<void>;
  /** Resolves when all that is acknowledged now is in the store. */
  stored(): Promise<void>;
  /** Deletes rows while others go on; returns the digest of what there must be when they are back. */
  accident(): Promise<string>;
  /** Which rows these are, as the input of a workflow says it. */
  readonly rows: object;
}

/** Of a lane whose backups lie in two stores. */
export interface StoresLane {
  /** The first takes the captures. */
  readonly stores: readonly [string, string];
  readonly plans: readonly [string, string];
  /** Notes that a backup of what is there now was made. */
  made(backup: string, plan: string, digest: string): void;
  /** Damages objects of some rooms that the other store has whole; `part` says how. The answer tells whether all is well again. */
  damage(store: string, part: number, rooms: readonly string[]): () => Promise<boolean>;
  /** What is not as it has to be in both stores when nothing is under way. */
  check(): Promise<string[]>;
}

export interface Lane {
  /** System and host have this name. */
  readonly name: string;
  /** The document of its system file. */
  readonly system: object;
  readonly proxy?: FaultProxy;
  /** A restart of the Docker daemon is felt here. */
  readonly usesDocker: boolean;
  /** The server that holds what is protected; both return when it answers again, false when it was not there. */
  readonly database?: { kill(): Promise<boolean>; cut(): Promise<boolean> };
  /** What a cycle does, one of these after the other; a backup and a restore unless said otherwise. */
  readonly rounds?: readonly Round[];
  readonly errand?: Errand;
  /** Takes the ids of its runs, by which what they make can be told from what others make. */
  readonly runs?: Set<string>;
  /** Is also struck by what is rarer: all processes at once, and a worker while it starts again. */
  readonly hard?: boolean;
  readonly cluster?: ClusterLane;
  readonly stores?: StoresLane;
  readonly missing?: MissingLane;
  /** What its restores are asked for beside the system's name. */
  readonly restoring?: object;
  /** Bytes that had to be stored so far: each large content once. Absent where that is not known. */
  uniqueBytes?(): number;
  /** Changes what is protected and returns the digest of what must come back. */
  change(part: number): Promise<string>;
  /** Loses and garbles what is protected. Returns the digest of what must come back, when that is not what `change` said. */
  lose(): Promise<string | undefined>;
  digest(): Promise<string>;
  /** What is not as it has to be after an operation, such as a container that stayed paused. */
  troubles(): Promise<string[]>;
  /** Removes what a restore has kept aside, so that a long run doesn't fill the disk. */
  forget(aside: readonly string[]): Promise<void>;
  /** Where the chunks of its vault lie as files. */
  readonly chunkDirectory: string;
  close(): Promise<void>;
}

/** The part of a system file that says where backups go. */
export interface LaneStore {
  readonly config: object;
  readonly chunkDirectory: string;
  readonly proxy?: FaultProxy;
}

export function directoryStore(base: string): LaneStore {
  const store = path.join(base, 'store');
  return { config: { kind: 'directory', path: store }, chunkDirectory: path.join(store, 'chunks') };
}

/** One component in one store, with a plan for it. */
export function laneSystem(name: string, store: LaneStore, component: object): object {
  return {
    system: name,
    hosts: [name],
    stores: { vault: store.config },
    components: { data: component },
    plans: { now: { components: ['data'], stores: ['vault'], keep: { last: 1000 } } },
  };
}

interface TreeOptions {
  readonly name: string;
  readonly base: string;
  readonly store: LaneStore;
  /** Where the tree lies. */
  readonly tree: string;
  readonly component: object;
}

/** What lanes over any kind of tree have in common. */
export function treeLane({ name, store, tree, component }: TreeOptions): Lane {
  makeTree(tree);
  let unique = LARGE_FILES * LARGE_BYTES;
  return {
    name,
    system: laneSystem(name, store, component),
    ...(store.proxy === undefined ? {} : { proxy: store.proxy }),
    usesDocker: false,
    chunkDirectory: store.chunkDirectory,
    uniqueBytes: () => unique,
    change: (part) => {
      replaceLarge(tree, Math.floor(part * LARGE_FILES));
      unique += LARGE_BYTES;
      return Promise.resolve(digestOf(tree));
    },
    lose: () => {
      wreck(tree);
      return Promise.resolve(undefined);
    },
    digest: () => Promise.resolve(digestOf(tree)),
    troubles: () => Promise.resolve([]),
    forget: (aside) => {
      // A restore tells the places as people read them; only those of this lane are touched.
      for (const place of aside.flatMap((text) => text.match(/\/\S+/g) ?? [])) {
        if (place.startsWith(tree)) rmSync(place, { recursive: true, force: true });
      }
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}

/** Files of a host, in a store. */
export function filesLane(name: string, base: string, store: LaneStore): Lane {
  mkdirSync(base, { recursive: true });
  const tree = path.join(base, 'tree');
  return treeLane({ name, base, store, tree, component: { kind: 'files', path: tree } });
}

export function writeSystemFile(lane: Lane, directory: string): string {
  const file = path.join(directory, `${lane.name}.yaml`);
  writeFileSync(file, stringify(lane.system));
  return file;
}
