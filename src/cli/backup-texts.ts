/** Backups as tables and as JSON. */
import type { Colours } from '../observe/colours.ts';
import { formatAge, formatBytes, formatMilliseconds } from '../observe/format.ts';
import { table } from '../observe/table.ts';
import { addedBytes, dataBytes, downtimeMs } from '../status/backup-amounts.ts';
import { newestProof, type KnownBackup } from '../status/catalogues.ts';

/** What `list --json` says of a backup: stable names. */
export function backupFacts(known: KnownBackup): Record<string, unknown> {
  const { entry, stores } = known;
  const { body, trust } = entry;
  const proof = newestProof(entry);
  return {
    backup: body.id,
    manifestKey: entry.key,
    plan: body.plan,
    purpose: body.purpose,
    tag: body.tag,
    pointAt: body.pointAt,
    finishedAt: body.finishedAt,
    sizeBytes: dataBytes(known),
    storedBytes: addedBytes(known),
    downtimeMs: downtimeMs(known),
    components: body.components.map(({ name }) => name),
    stores,
    trusted: trust.ok,
    ...(trust.ok ? {} : { why: trust.why }),
    ...(body.generation === 0 ? {} : { generation: body.generation }),
    ...(entry.apart === undefined ? {} : { apart: entry.apart }),
    ...(entry.notes === undefined ? {} : { notes: entry.notes }),
    ...(proof === undefined ? {} : { verified: { level: proof.level, ok: proof.ok, at: proof.at } }),
  };
}

function verdictText({ entry }: KnownBackup, colours: Colours): string {
  if (!entry.trust.ok) return colours.red(`UNTRUSTED: ${entry.trust.why}`);
  if (entry.apart !== undefined) return colours.yellow(`APART: ${entry.apart}`);
  const proof = newestProof(entry);
  if (proof === undefined) return colours.yellow('never');
  return proof.ok ? colours.green(proof.level) : colours.red(`BAD (${proof.level})`);
}

export function backupTable(backups: readonly KnownBackup[], colours: Colours, nowMs: number): string {
  const rows = backups.map((known) => {
    const { body } = known.entry;
    const plan = body.purpose === 'safety' ? `${body.plan} (safety)` : body.plan;
    return [
      body.id,
      plan,
      formatAge(Date.parse(body.pointAt), nowMs),
      formatBytes(dataBytes(known)),
      known.stores.join(', '),
      verdictText(known, colours),
      body.tag ?? '',
    ];
  });
  return table(['backup', 'plan', 'age', 'size', 'stores', 'verified', 'tag'], rows, colours);
}

/** Everything about one backup. */
export function backupText(known: KnownBackup, colours: Colours, nowMs: number): string {
  const { entry, stores, verdicts } = known;
  const { body } = entry;
  // With several stores: where each newest verdict was found.
  const placeOf = (proof: unknown): string => {
    const own = verdicts.find((verdict) => verdict.proof === proof);
    return own === undefined || stores.length < 2 ? '' : ` in ${own.store}`;
  };
  const lines = [
    `${colours.bold(body.id)}  plan ${body.plan}${body.purpose === 'safety' ? ' (safety)' : ''}${body.tag === undefined ? '' : `  tag ${body.tag}`}`,
    `  manifest   ${entry.key} in ${stores.join(', ')}`,
    `  point      ${body.pointAt} (${formatAge(Date.parse(body.pointAt), nowMs)})`,
    `  took       ${formatMilliseconds(Date.parse(body.finishedAt) - Date.parse(body.startedAt))}`,
    `  signed by  ${body.signer} as number ${body.sequence}: ${entry.trust.ok ? colours.green('trusted') : colours.red(entry.trust.why)}`,
  ];
  for (const { mode, containers, downtimeMs } of body.freezes) {
    lines.push(
      `  ${mode === 'pause' ? 'paused    ' : 'stopped   '} ${containers.join(', ')} for ${formatMilliseconds(downtimeMs)}`,
    );
  }
  if (entry.apart !== undefined) lines.push(`  ${colours.yellow('apart')}      ${entry.apart}`);
  for (const note of entry.notes ?? []) lines.push(`  ${colours.yellow('note')}       ${note}`);
  for (const proof of entry.proofs) {
    const verdict = proof.ok ? colours.green('good') : colours.red('BAD');
    lines.push(
      `  verified   ${proof.at} ${proof.level}: ${verdict}, ${formatBytes(proof.bytesChecked)}${placeOf(proof)}`,
    );
  }
  if (entry.proofs.length === 0) lines.push(`  verified   ${colours.yellow('never')}`);
  const rows = body.components.flatMap(({ name, kind, tier, artifacts, counts }) =>
    artifacts.map((artifact, index) => [
      index === 0 ? name : '',
      index === 0 ? kind : '',
      index === 0 ? tier : '',
      artifact.name,
      formatBytes(artifact.lengthBytes),
      index === 0 ? formatBytes(counts.storedBytes) : '',
    ]),
  );
  lines.push('', table(['component', 'kind', 'tier', 'artifact', 'size', 'newly stored'], rows, colours));
  for (const { name, warnings } of body.components) {
    for (const warning of warnings) lines.push(`${colours.yellow('warning')} ${name}: ${warning}`);
  }
  return lines.join('\n');
}
