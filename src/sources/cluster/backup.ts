/** A base backup as a component's capture: taken, described, read back and judged. */
import type { ArtifactReader } from '../../part.ts';
import { withPostgres } from '../../postgres/open.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import type { Captured, CaptureSink, CheckReport, KindContext } from '../kinds/component.ts';
import { jsonArtifact } from '../kinds/json-artifact.ts';
import { baseArtifact } from './capture.ts';
import type { BaseReport } from './capture.ts';
import { ClusterCheck } from './check.ts';
import type { ClusterVerdict } from './check.ts';
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
    const base = baseArtifact(access);
    await sink.store(base);
    const report = base.report();
    const endedAt = await access.withClient({ signal }, serverTime);
    const facts = factsOf(side, report, endedAt);
    await sink.store(jsonArtifact(FACTS, facts));
    return { facts: { method: 'base', ...facts }, warnings: warningsOf(facts) };
  });
}

function factsOf(side: ServerSide, { label, manifest, files }: BaseReport, endedAt: string): ClusterFacts {
  const last = manifest.walRanges.at(-1);
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

/** Reads the tar back and puts it before its own manifest. */
export async function checkCluster(
  component: PostgresBaseComponent,
  artifacts: readonly ArtifactReader[],
  context: KindContext,
): Promise<CheckReport> {
  const { base, facts } = await artifactsOf(component.name, artifacts, context.signal);
  const check = new ClusterCheck();
  let bytesDone = 0;
  for await (const bytes of base.read({ signal: context.signal })) {
    check.push(bytes);
    bytesDone += bytes.length;
    context.report({ phase: 'check', bytesDone, bytesTotal: base.lengthBytes });
  }
  return reportOn(check.verdict(facts.segmentBytes), facts);
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
