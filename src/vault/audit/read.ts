/** A store's audit logs as they lie there, each record judged by itself; whether the chains hold is decided elsewhere. */
import { HoldfastError } from '../../failures.ts';
import type { AuditSeen, AuditStoreSeen, AuditWitness } from '../../policy/audit-chain.ts';
import type { Store } from '../../stores/store.ts';
import { keysIn } from '../listed.ts';
import { judgeManifest, readAtManifestKey } from '../manifest.ts';
import { mapBounded } from '../mutex.ts';
import { sha256Hex } from '../names.ts';
import type { TrustRoots } from '../trust.ts';
import { auditLogOf, judgeAudit } from './record.ts';

const READS_AT_ONCE = 16;

interface From {
  readonly store: Store;
  readonly vaultId: string;
  readonly roots: TrustRoots;
}

/** Throws what keeps the store from being read; a record that can't be trusted is in `bad`. */
export async function readAuditLogs(from: From, name: string): Promise<AuditStoreSeen> {
  const keys = await keysIn(from.store, 'audit/');
  const records: AuditSeen[] = [];
  const bad: { key: string; why: string }[] = [];
  await mapBounded(keys, READS_AT_ONCE, async (key) => {
    try {
      records.push(await readOne(from, key));
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
      bad.push({ key, why: error.message });
    }
  });
  return { store: name, records: records.toSorted(byKey), bad: bad.toSorted(byKey) };
}

async function readOne(from: From, key: string): Promise<AuditSeen> {
  const bytes = await from.store.get(key);
  const { body, admitted } = judgeAudit(from, key, bytes);
  const { n, previousSha256, heads, event, at, signer } = body;
  const author = from.roots.signers.get(signer)?.name;
  const log = auditLogOf(signer);
  const own = { log, n, key, sha256: sha256Hex(bytes), previousSha256, heads, event, at, signer, admitted };
  return author === undefined ? own : { ...own, author };
}

/** How many of the newest manifests are asked; each names all that the one before it named, and more. */
const MANIFESTS = 20;

/** What the newest trusted manifests of a store say of the audit logs. One that can't be trusted or read says nothing. */
export async function headsInManifests({ store, vaultId, roots }: From): Promise<AuditWitness[]> {
  const keys = (await keysIn(store, 'backups/'))
    .toSorted((a, b) => (nameOf(a) < nameOf(b) ? 1 : -1))
    .slice(0, MANIFESTS);
  const named = await mapBounded(keys, READS_AT_ONCE, async (key): Promise<AuditWitness[]> => {
    try {
      const found = await readAtManifestKey(store, key);
      if (found.kind !== 'manifest') return [];
      judgeManifest(roots, vaultId, key, found.record);
      return (found.record.body.auditHeads ?? []).map((head) => ({ ...head, by: key }));
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
      return [];
    }
  });
  return named.flat();
}

/** Begins with the time. */
function nameOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
  return a.key < b.key ? -1 : 1;
}
