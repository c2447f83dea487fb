/** What a person approves before missing files are put back: the digest of the preview. Pure. */
import { createHash } from 'node:crypto';
import type { MissingPlan } from '../workflows/missing-contract.ts';
import { canonicalJson } from './canonical.ts';

/** Without ages, and without numbers of files that nothing happens to: others go on writing while a person reads. */
export function missingDigest(system: string, plan: Omit<MissingPlan, 'digest'>): string {
  const { component, backup, manifestKey, store, place, paths, changed, undoes, missing, affectedSha256 } = plan;
  const differ = changed || undoes !== undefined ? plan.differ : undefined;
  const digested = {
    format: 1,
    system,
    component,
    backup,
    manifestKey,
    store,
    place,
    paths,
    changed,
    undoes,
    missing,
    differ,
    affectedSha256,
  };
  return createHash('sha256').update(canonicalJson(digested)).digest('hex');
}
