/** A lane is a system of its own, on a host of its own, whose data the suite changes, loses and gets back. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import type { FaultProxy } from '../../test/support/fault-proxy.ts';
import { digestOf, LARGE_BYTES, LARGE_FILES, makeTree, replaceLarge, wreck } from './content.ts';

export interface Lane {
  /** System and host have this name. */
  readonly name: string;
  /** The document of its system file. */
  readonly system: object;
  readonly proxy?: FaultProxy;
  /** A restart of the Docker daemon is felt here. */
  readonly usesDocker: boolean;
  /** The server that holds what is protected; both return when it answers again. */
  readonly database?: { kill(): Promise<void>; cut(): Promise<void> };
  /** Bytes that had to be stored so far: each large content once. */
  uniqueBytes(): number;
  /** Changes what is protected and returns the digest of what must come back. */
  change(part: number): Promise<string>;
  /** Loses and garbles what is protected. */
  lose(): Promise<void>;
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
    system: {
      system: name,
      hosts: [name],
      stores: { vault: store.config },
      components: { data: component },
      plans: { now: { components: ['data'], stores: ['vault'], keep: { last: 1000 } } },
    },
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
      return Promise.resolve();
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
