/** What each role needs of a store and no more, in the words of a vault; the providers' languages are made of it. */

/**
 * `capture`: a host that backs up. `verify`: reads everything back, writes verdicts. `prune`: keeps a store, so it copies
 * into it, heals, deletes, extends locks. `restore`: reads.
 */
export type PolicyRole = 'capture' | 'verify' | 'prune' | 'restore';

export const POLICY_ROLES: readonly PolicyRole[] = ['capture', 'verify', 'prune', 'restore'];

export interface StoreRights {
  /** Beginnings of keys, or whole keys; everything is `['']`. */
  readonly read: readonly string[];
  /** May be written where nothing is, and never again. */
  readonly create: readonly string[];
  /** May be written where something is. */
  readonly replace: readonly string[];
  /** May be deleted, for good as well. */
  readonly delete: readonly string[];
  /** What is created may be locked as it is written. */
  readonly lock: boolean;
  /** Locks may be looked at and made longer. */
  readonly extendLocks: boolean;
  /** What lies in an archive class may be asked for. */
  readonly thaw: boolean;
}

const EVERYTHING = [''];

/** What somebody who writes must read: records, none of which says what was backed up. */
const RECORDS = [
  'holdfast.json',
  'signers/',
  'keys/',
  'sweeps/',
  'generations/',
  'handovers/',
  'captures/',
  'backups/',
  'proofs/',
  'verified/',
  'quarantine/',
  'sums/',
  'holds/',
  // Whoever writes into the log names the hash of the record before.
  'audit/',
];

export interface RightsOf {
  readonly role: PolicyRole;
  /** A write-ahead log lies in the store: who stores a range again compares it with what is there. */
  readonly wal: boolean;
  readonly immutable: boolean;
  readonly archive: boolean;
}

export function storeRights({ role, wal, immutable, archive }: RightsOf): StoreRights {
  const log = wal ? ['wal/'] : [];
  const none = { create: [], replace: [], delete: [], lock: false, extendLocks: false, thaw: false };
  switch (role) {
    case 'capture': {
      const records = [
        'captures/',
        'backups/',
        'proofs/',
        'keys/',
        'generations/',
        'handovers/',
        'audit/',
        'reports/',
        'probe/',
      ];
      const create = ['chunks/', 'lists/', 'sums/', ...records, ...log];
      return { ...none, read: [...RECORDS, ...log], create, lock: immutable };
    }
    case 'verify':
      return { ...none, read: EVERYTHING, create: ['proofs/', 'verified/', 'audit/'], lock: immutable };
    case 'prune': {
      const objects = ['chunks/', 'lists/', 'sums/'];
      return {
        read: EVERYTHING,
        create: EVERYTHING,
        replace: objects,
        // Never what opens the rest: the head, the guide, the keys, who may sign, and what is held.
        delete: [...objects, 'backups/', 'captures/', 'proofs/', 'wal/', 'quarantine/', 'probe/'],
        lock: immutable,
        extendLocks: immutable,
        thaw: archive,
      };
    }
    case 'restore':
      return { ...none, read: EVERYTHING, create: ['proofs/', 'reports/', 'audit/'], lock: immutable, thaw: archive };
  }
}
