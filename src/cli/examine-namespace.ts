/** A Temporal server of one's own, as `doctor` looks at it: how long it keeps histories, and what that costs. */
import { connectEngine } from '../engine/connect.ts';
import { forgetsLooks } from '../engine/forget-looks.ts';
import { KEPT_DAYS, namespaceKeepsSeconds } from '../engine/register.ts';
import { isServerNamed } from '../engine/target.ts';
import { formatBytes, formatCount, formatSeconds } from '../observe/format.ts';
import { looksKept } from '../policy/looks-kept.ts';
import type { System } from '../system/types.ts';
import { ok, warn, type Finding } from './examination.ts';

const DAY_SECONDS = 86_400;
/** Reports lie in the stores; what failed in the last week should still be there to look at. */
const LEAST_SECONDS = 7 * DAY_SECONDS;
/** What is nothing to a database. */
const FEW_BYTES = 1024 ** 3;

/** Empty for the embedded engine, which sets it itself, and for a server that does not answer, which is told elsewhere. */
export async function examineNamespace(systems: readonly System[]): Promise<Finding[]> {
  if (!isServerNamed()) return [];
  let keptSeconds: number;
  let namespace: string;
  try {
    await using engine = await connectEngine();
    ({ namespace } = engine.target);
    keptSeconds = await namespaceKeepsSeconds(engine.connection, namespace);
  } catch {
    return [];
  }
  return [retentionFinding(systems, { namespace, keptSeconds, forgets: forgetsLooks(process.env) }, Date.now())];
}

/** Pure. */
export function retentionFinding(
  systems: readonly System[],
  { namespace, keptSeconds, forgets }: { namespace: string; keptSeconds: number; forgets: boolean },
  nowMs: number,
): Finding {
  const what = `namespace ${namespace}`;
  const kept = `histories are kept for ${formatSeconds(keptSeconds)}`;
  if (keptSeconds < LEAST_SECONDS) {
    const days = `${KEPT_DAYS} days let one look back over a quarter`;
    const command = `temporal operator namespace update --namespace ${namespace} --retention ${KEPT_DAYS}d`;
    return warn(what, `${kept}: what failed a week ago is gone by then`, `${days}: ${command}`);
  }
  const { runs, bytes } = looksKept(systems, keptSeconds, nowMs);
  const looks = `${formatCount(runs, 'run')} of monitoring, about ${formatBytes(bytes)}`;
  if (forgets) return ok(what, `${kept}, looks of monitoring for less (HOLDFAST_FORGET_LOOKS)`);
  if (bytes < FEW_BYTES) return ok(what, `${kept}, among them ${looks}`);
  return warn(
    what,
    `${kept}, among them ${looks}`,
    'Let one `holdfast up` remove them: --forget-looks 24h, or HOLDFAST_FORGET_LOOKS=24h (docs/cluster.md).',
  );
}
