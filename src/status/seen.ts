/** Backups as the judgments of src/policy see them. */
import type { BackupSeen, VerdictSeen } from '../policy/backup-seen.ts';
import type { CatalogueEntry, ProofBody } from '../vault/types.ts';
import type { SeenCatalogue } from './brief.ts';
import type { Catalogues, KnownBackup } from './catalogues.ts';

/** What a manifest alone tells of its backup, wherever it lies and whichever site is active. */
export type ManifestFacts = Omit<BackupSeen, 'key' | 'apart' | 'stores' | 'storedAt' | 'verdicts'>;

export function manifestFacts({ body, trust, sha256 }: CatalogueEntry): ManifestFacts {
  return {
    id: body.id,
    sha256,
    plan: body.plan,
    ...(body.tag === undefined ? {} : { tag: body.tag }),
    purpose: body.purpose,
    generation: body.generation,
    trusted: trust.ok,
    ...(trust.ok ? {} : { why: trust.why }),
    startedAtMs: Date.parse(body.startedAt),
    pointAtMs: Date.parse(body.pointAt),
    finishedAtMs: Date.parse(body.finishedAt),
    downtimeMs: body.freezes.reduce((sum, { downtimeMs }) => sum + downtimeMs, 0),
    signer: body.signer,
    sequence: body.sequence,
    components: body.components.map(({ name, kind, artifacts, counts }) => ({
      name,
      kind,
      sizeBytes: artifacts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0),
      storedBytes: counts.storedBytes,
    })),
  };
}

export function seenOf({ entry, stores, storedAt = [], verdicts }: KnownBackup): BackupSeen {
  const { key, apart } = entry;
  const facts = { ...manifestFacts(entry), ...(apart === undefined ? {} : { apart }) };
  return { ...facts, key, stores, storedAt, verdicts: verdicts.map(verdictOf) };
}

/** What was read in full, in brief. */
export function seenCatalogue({ backups, ...others }: Catalogues): SeenCatalogue {
  return { ...others, backups: backups.map(seenOf) };
}

function verdictOf({ store, proof, provedAt }: KnownBackup['verdicts'][number]): VerdictSeen {
  return {
    store,
    level: proof.level,
    ok: proof.ok,
    atMs: Date.parse(proof.at),
    errors: proof.bad.length + proof.moreBad,
    ...(provedAt === undefined ? {} : { provedAtMs: Date.parse(provedAt) }),
  };
}

/** When it was last read back in full or restored, and found good; undefined when it never was. */
export function provedAt(proofs: readonly ProofBody[]): string | undefined {
  return proofs.findLast(proves)?.at;
}

/** Found good by reading it back in full, or by restoring it. */
export function proves({ ok, level }: Pick<VerdictSeen, 'ok' | 'level'>): boolean {
  return ok && level !== 'presence';
}
