/** Which manifests were deleted from a store, told by what they left there. Pure; docs/decisions/verification.md says why. */
import type { ManifestLink } from '../store-facts.ts';

/** A record in `captures/` at whose manifest's name nothing lies. */
export interface OpenCaptureRecord {
  readonly manifestKey: string;
  readonly signer: string;
  readonly startedAtMs: number;
  readonly copy: boolean;
  /** Another store that holds this manifest. */
  readonly elsewhere?: string;
}

export interface LeftByManifests {
  /** Of the trusted manifests that are there. */
  readonly links: readonly ManifestLink[];
  /** What prunes of this store have written down as removed. */
  readonly pruned: readonly Pick<ManifestLink, 'signer' | 'sequence' | 'sha256'>[];
  readonly prunedKeys: ReadonlySet<string>;
  readonly open: readonly OpenCaptureRecord[];
  /** Names of manifests that are not there and of which a verdict of presence was signed here. */
  readonly proved: readonly string[];
}

/** By key, with what tells of it. A capture that is under way, and a copy that has not come yet, are not among them. */
export function deletedManifests(left: LeftByManifests): Map<string, string> {
  const { prunedKeys } = left;
  const found = new Map<string, string>();
  for (const key of left.proved) {
    if (!prunedKeys.has(key)) found.set(key, 'a verdict was signed of it here');
  }
  const captured = left.open.filter(({ copy, manifestKey }) => !copy && !prunedKeys.has(manifestKey));
  for (const { manifestKey, elsewhere } of captured) {
    // What was captured here lay here before it was copied.
    if (elsewhere !== undefined) found.set(manifestKey, `it was captured into this store, and ${elsewhere} holds it`);
  }
  for (const { after, missing, beforeMs } of gapsOf(left)) {
    const inGap = captured.filter(
      ({ signer, startedAtMs }) =>
        signer === after.signer && startedAtMs >= beforeMs && startedAtMs <= after.startedAtMs,
    );
    // More than there are numbers: some of them never came to an end, and nobody can say which. One that died just where a
    // number is missing for another reason is told too, until a sweep settles its record.
    if (inGap.length > missing) continue;
    for (const { manifestKey } of inGap) {
      if (!found.has(manifestKey))
        found.set(manifestKey, 'its capture was recorded here, and a number of its signer is missing');
    }
  }
  return found;
}

interface ChainGap {
  readonly after: ManifestLink;
  readonly missing: number;
  readonly beforeMs: number;
}

/** Numbers that nothing explains, before a manifest that follows another one than the last that is known. */
function gapsOf({ links, pruned }: LeftByManifests): ChainGap[] {
  const gaps: ChainGap[] = [];
  const gone = Map.groupBy(pruned, ({ signer }) => signer);
  for (const [signer, own] of Map.groupBy(links, (link) => link.signer)) {
    const there = own.map((link) => ({ sequence: link.sequence, sha256: link.sha256, link }));
    const removed = (gone.get(signer) ?? []).map(({ sequence, sha256 }) => ({ sequence, sha256, link: undefined }));
    const chain = [...removed, ...there].sort((a, b) => a.sequence - b.sequence);
    let beforeMs = -Infinity;
    for (const [index, { link }] of chain.entries()) {
      if (link === undefined) continue;
      const before = chain[index - 1];
      const missing = link.sequence - (before?.sequence ?? 0) - 1;
      // A number that was never used is passed over by a manifest that names the one before it.
      if (missing > 0 && link.previousSha256 !== (before?.sha256 ?? null))
        gaps.push({ after: link, missing, beforeMs });
      beforeMs = link.startedAtMs;
    }
  }
  return gaps;
}
