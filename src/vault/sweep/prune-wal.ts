/** Removing from a write-ahead log what no kept base backup needs, and pieces that have grown into longer ones. */
import { HoldfastError } from '../../failures.ts';
import type { BasePoint } from '../../policy/reachable.ts';
import { isLogNeeded, supersedes, type LogPiece } from '../../policy/wal-kept.ts';
import type { PruneSource, Surveyed } from './prune-survey.ts';
import { nothingRemoved, removeUnder, type Removed } from './removal.ts';
import { judgeWalObject, readWalObject } from '../wal/format.ts';
import { parseWalKey } from '../wal/names.ts';

export interface PruneWalOptions {
  /** Of base backups in this store, by component; see `basesToKeepLogFor`. */
  readonly bases: ReadonlyMap<string, readonly BasePoint[]>;
  /** Nothing that came into the store later is removed. */
  readonly olderThanMs: number;
  readonly signal: AbortSignal;
  readonly report: (what: string) => void;
}

/**
 * Base backups by component. Only a trusted one of a plan says that older log of its cluster may go; every one that is
 * there, also a safety backup or one whose signer can't be judged at present, keeps what it needs itself.
 */
export function basesToKeepLogFor(backups: readonly Surveyed[]): Map<string, BasePoint[]> {
  const clusterOf = ({ component, base }: Surveyed['bases'][number]): string => `${component} ${base.systemIdentifier}`;
  const trusted = backups.filter(({ fact }) => fact.untrusted === undefined && fact.purpose === 'backup');
  const clusters = new Set(trusted.flatMap(({ bases }) => bases.map(clusterOf)));
  const own = backups.flatMap(({ bases }) => bases.filter((one) => clusters.has(clusterOf(one))));
  const byComponent = Map.groupBy(own, ({ component }) => component);
  return new Map([...byComponent].map(([component, found]) => [component, found.map(({ base }) => base)]));
}

interface Found extends LogPiece {
  readonly key: string;
}

/** History files stay for ever. A piece goes only when the longer one is there, whole, and signed by an admitted key. */
export async function pruneWal(from: PruneSource, options: PruneWalOptions): Promise<Removed> {
  const { store } = from;
  const { bases, olderThanMs, signal } = options;
  const wanted = new Set<string>();
  let segment: Found[] = [];
  for await (const { key, modifiedAtMs } of store.list('wal/', { signal })) {
    const component = key.split('/')[1] ?? '';
    const parsed = parseWalKey(component, key);
    if (parsed === undefined || parsed.kind === 'history' || modifiedAtMs > olderThanMs) continue;
    const piece: Found = { ...parsed, key, storedAtMs: modifiedAtMs };
    if (!isLogNeeded(piece, bases.get(component) ?? [])) wanted.add(key);
    else if (parsed.kind === 'range') {
      if (segment[0] !== undefined && fileOf(segment[0].key) !== fileOf(key)) {
        for (const one of await superseded(from, segment)) wanted.add(one);
        segment = [];
      }
      segment.push(piece);
    }
  }
  for (const one of await superseded(from, segment)) wanted.add(one);
  options.report(`removes ${wanted.size} pieces of logs`);
  const tally = nothingRemoved();
  if (wanted.size > 0) await removeUnder(store, 'wal/', (key) => wanted.has(key), tally, { signal });
  return tally;
}

/** Which pieces of one segment a whole block of it covers. */
async function superseded(from: PruneSource, segment: readonly Found[]): Promise<string[]> {
  const gone: string[] = [];
  const whole = new Map<string, boolean>();
  for (const piece of segment) {
    for (const block of segment.filter((other) => supersedes(other, piece))) {
      const holds = whole.get(block.key) ?? (await isWhole(from, block.key));
      whole.set(block.key, holds);
      if (!holds) continue;
      gone.push(piece.key);
      break;
    }
  }
  return gone;
}

/** Without the positions: the segment. */
function fileOf(key: string): string {
  return key.slice(0, key.lastIndexOf('.'));
}

async function isWhole({ store, vaultId, roots }: PruneSource, key: string): Promise<boolean> {
  try {
    judgeWalObject(roots, vaultId, key, readWalObject(await store.get(key), key));
    return true;
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
    return false;
  }
}
