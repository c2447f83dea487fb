/** What the scripted world answers when a test says nothing else. */
import type { CopyTurn } from '../../src/activities/types.ts';

export const HOST = 'alpha';

export const NOTHING_COPIED: CopyTurn = {
  left: 0,
  backups: 0,
  objects: 0,
  bytes: 0,
  replaced: 0,
  walPieces: 0,
  walBytes: 0,
  refused: [],
  refusedCount: 0,
  verified: [],
  silent: [],
};

export function componentRecord(name: string) {
  const counts = { chunksNew: 1, chunksReused: 2, readBytes: 10, storedBytes: 5, filesSeen: 1 };
  return {
    name,
    kind: 'files',
    tier: 'critical' as const,
    host: HOST,
    capturedAt: '2026-11-21T02:00:00Z',
    artifacts: [],
    facts: {},
    warnings: [],
    counts: { ...counts, changed: [], changedCount: 0 },
  };
}

export function proof(manifestKey: string, level: 'presence' | 'content') {
  return {
    format: 1 as const,
    vaultId: 'v',
    manifestKey,
    manifestSha256: 'ab',
    level,
    at: '2026-11-21T02:00:00Z',
    ok: true,
    objectsChecked: 3,
    bytesChecked: 30,
    bad: [],
    moreBad: 0,
    signer: 's',
  };
}

export function storeVerdict(store: string, level: 'presence' | 'content') {
  const counts = { parts: 9, objectsChecked: 3, bytesChecked: 30, unjudged: 0, moreBad: 0 };
  return { store, level, ok: true, opened: true, bad: [], fraction: 0.5, ...counts };
}
