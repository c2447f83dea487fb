/** A base backup as a component's capture: taken, described, read back and judged. */
import { HoldfastError } from '../../failures.ts';
import type { ArtifactReader } from '../../part.ts';
import { withPostgres } from '../../postgres/open.ts';
import { freeNow } from '../../seal/free.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import type { Captured, CaptureSink, CheckReport, KindContext } from '../kinds/component.ts';
import { jsonArtifact } from '../kinds/json-artifact.ts';
import { baseArtifact } from './capture.ts';
import type { ClusterVerdict } from './check.ts';
import { checkedOnTheWay, ClusterChecking } from './checking.ts';
import { artifactsOf, askServer, FACTS, serverTime } from './facts.ts';
import type { ClusterFacts, ServerSide } from './facts.ts';

export function captureCluster(
  component: PostgresBaseComponent,
  sink: CaptureSink,
  context: KindContext,
): Promise<Captured> {
  const { signal } = context;
  return withPostgres(component.server, 'backup', context, async (access) => {
    const { versionNumber } = await access.facts(signal);
    const { side, sizeBytes } = await access.withClient({ signal }, (client) => askServer(client, versionNumber));
    context.report({ phase: 'base backup', bytesTotal: sizeBytes });
    const base = baseArtifact(access, side.segmentBytes);
    await sink.store(base);
    const verdict = base.verdict();
    const endedAt = await access.withClient({ signal }, serverTime);
    const facts = factsOf(side, verdict, endedAt);
    if (context.raw !== true) refuseBroken(component.name, reportOn(verdict, facts));
    await sink.store(jsonArtifact(FACTS, facts));
    return { facts: { method: 'base', ...facts }, warnings: warningsOf(facts), judged: true };
  });
}

function refuseBroken(component: string, { checks }: CheckReport): void {
  const bad = checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
  if (bad.length === 0) return;
  throw new HoldfastError('SourceCorrupt', `${component} is not what its own manifest says: ${bad.join('; ')}`);
}

function factsOf(side: ServerSide, { label, manifest, files }: ClusterVerdict, endedAt: string): ClusterFacts {
  if (label === undefined) throw new HoldfastError('SourceEmpty', 'pg_basebackup wrote no backup_label');
  const last = manifest?.walRanges.at(-1);
  return {
    format: 1,
    ...side,
    timeline: last?.timeline ?? label.timeline,
    startLsn: label.startLsn,
    endLsn: last?.endLsn ?? label.startLsn,
    endedAt,
    fromStandby: label.fromStandby,
    files,
  };
}

function warningsOf(facts: ClusterFacts): string[] {
  const warnings: string[] = [];
  if (facts.configurationOutside.length > 0) {
    const named = facts.configurationOutside.join(', ');
    warnings.push(`configuration outside the data directory is not in this backup: ${named}`);
  }
  if (!facts.dataChecksums) {
    warnings.push('the cluster has no data checksums: damage that happened on its disk is copied unnoticed');
  }
  return warnings;
}

/** Reads the whole tar back and puts it before its own manifest. */
export async function checkCluster(
  component: PostgresBaseComponent,
  artifacts: readonly ArtifactReader[],
  context: KindContext,
): Promise<CheckReport> {
  const { base, facts } = await artifactsOf(component.name, artifacts, context.signal);
  const checking = new ClusterChecking();
  try {
    let bytesDone = 0;
    for await (const bytes of checkedOnTheWay(base.read({ signal: context.signal }), checking)) {
      bytesDone += bytes.length;
      freeNow(bytes);
      context.report({ phase: 'check', bytesDone, bytesTotal: base.lengthBytes });
    }
    return reportOn(await checking.verdict(facts.segmentBytes), facts);
  } finally {
    await checking.close();
  }
}

export function reportOn(verdict: ClusterVerdict, facts: ClusterFacts): CheckReport {
  const { files, problems, manifest } = verdict;
  const whole = problems.length === 0;
  const detail = whole ? `${files} files as the backup_manifest says, by SHA-256` : problems.join('; ');
  const checks = [{ name: 'backup manifest', ok: whole, detail }];
  if (manifest?.systemIdentifier !== undefined) {
    const same = manifest.systemIdentifier === facts.systemIdentifier;
    const text = `system identifier ${manifest.systemIdentifier}${same ? '' : ` instead of ${facts.systemIdentifier}`}`;
    checks.push({ name: 'system identifier', ok: same, detail: text });
  }
  return { ok: checks.every(({ ok }) => ok), checks };
}
