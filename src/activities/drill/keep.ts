/** The end of a drill: its report is compared with earlier ones and kept, and what it proved is written beside the backups. */
import { compareWith } from '../../policy/drill-verdict.ts';
import { drillHistory, keepDrillReport } from '../../status/drill-runs.ts';
import type { System } from '../../system/types.ts';
import type { ProofBody } from '../../vault/types.ts';
import type { DrillReport, DrillSource } from '../../workflows/drill-contract.ts';
import type { HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';
import type { HostActivities } from '../types.ts';

type Kept = Awaited<ReturnType<HostActivities['keepDrill']>>;

const BAD_SHOWN = 50;

/** A repeat writes the same again. Throws when no store could take the report. */
export async function keepDrill(
  context: HostContext,
  input: Parameters<HostActivities['keepDrill']>[0],
  run: Run,
): Promise<Kept> {
  run.report({ phase: 'keep the report' });
  const system = await context.system(input.system);
  // Comparing is nice to have: who can't read the stores may still be able to write.
  const earlier = await drillHistory(system).catch((error: unknown) => {
    run.log.warn({ err: error }, 'earlier drills could not be read');
    return [];
  });
  const comparison = compareWith(input.report, earlier);
  const compared = comparison === undefined ? input.report : { ...input.report, comparison };
  const proofs: Kept['proofs'][number][] = [];
  const unproved: string[] = [];
  for (const source of compared.sources) {
    const body = await proofOf(context, system, compared, source, run);
    if (body === undefined) continue;
    try {
      await context.withWriter(system, source.store, (vault) => vault.writeProof(body));
      proofs.push({ backup: source.backup, store: source.store, ok: body.ok });
    } catch (error) {
      run.signal.throwIfAborted();
      run.log.warn({ err: error, store: source.store }, 'the proof could not be written');
      unproved.push(`the proof of ${source.backup} could not be written into ${source.store}`);
    }
  }
  const report = { ...compared, warnings: [...compared.warnings, ...unproved] };
  const { key, unread } = await keepDrillReport(system, report);
  if (unread.length > 0) run.log.warn({ unread }, 'not every store took the report of the drill');
  return { report, key, proofs };
}

/** A passed drill proves what it restored whole; a failed one speaks only of the backups in which something was bad. */
async function proofOf(
  context: HostContext,
  system: System,
  { outcome, checks, components, finishedAt }: DrillReport,
  { backup, store, manifestKey, whole }: DrillSource,
  run: Run,
): Promise<ProofBody | undefined> {
  const own = components.filter((one) => one.backup === backup);
  const bad = checks.filter(({ ok, component }) => !ok && own.some(({ name }) => name === component));
  const says = outcome === 'passed' ? whole : outcome === 'failed' && bad.length > 0;
  if (!says) return undefined;
  const entry = (await context.catalogue(system, store, { signal: run.signal })).find(({ key }) => key === manifestKey);
  if (entry === undefined) return undefined;
  return {
    format: 1,
    vaultId: entry.body.vaultId,
    manifestKey,
    manifestSha256: entry.sha256,
    level: 'restored',
    at: finishedAt,
    ok: outcome === 'passed',
    objectsChecked: entry.body.components.reduce((sum, { artifacts }) => sum + artifacts.length, 0),
    bytesChecked: own.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    bad: bad.slice(0, BAD_SHOWN).map(({ component, name, detail }) => ({
      key: component,
      code: 'CheckFailed',
      what: `${name}: ${detail}`,
    })),
    moreBad: Math.max(0, bad.length - BAD_SHOWN),
    signer: '',
  };
}
