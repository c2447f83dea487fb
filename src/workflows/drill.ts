/**
 * Rehearses a restore in isolation: in places and under names of its own, measured, and removed again whatever happens.
 * Takes no lock and touches nothing live; what it restores well is a proof beside the backup.
 */
import { CancellationScope, isCancellation, sleep, TemporalFailure, workflowInfo } from '@temporalio/workflow';
import type { DrillFacts } from '../activities/drill-types.ts';
import { measuredComponents, outcomeOfFailure } from '../policy/drill-verdict.ts';
import type {
  DrillComponent,
  DrillInput,
  DrillPlan,
  DrillReport,
  DrillResult,
  DrillStackPlan,
} from './drill-contract.ts';
import { backUpFirst } from './drill-fresh.ts';
import { Stopwatch } from './drill-stopwatch.ts';
import { clearAll, rehearse, stackInput, type Rehearsal, type Rehearsed } from './drill-scratch.ts';
import { inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { onHost, orchestration, whileHostAnswers } from './proxies.ts';
import { reportingFailure, writeDown } from './report.ts';
import { Story } from './story.ts';

const FIELDS: Fields<DrillInput> = {
  system: { ...NAME, required: true },
  kind: NAME,
  backup: { type: 'string' },
  plan: NAME,
  olderThanDays: { type: 'number' },
  components: { type: 'string' },
  startStack: { type: 'boolean' },
  freshBackup: { type: 'boolean' },
  mode: { type: 'string', oneOf: ['plan', 'drill'] },
  by: { type: 'string' },
};

const STEPS = [
  'tell people',
  'fresh backup',
  'plan',
  'restore',
  'check',
  'start the stack',
  'ask its checks',
  'remove',
  'report',
];
const SILENT_SECONDS = 600;
const CHECKS_KEPT = 300;
const DETAIL_CHARACTERS = 300;

/** `passed`, `failed` and `broken` are results; it fails only when there was nothing to rehearse with. */
export async function drill(input: DrillInput): Promise<DrillResult> {
  const asked = parseInput<DrillInput>('drill', input, FIELDS);
  const story = new Story('drill', asked.mode === 'plan' ? ['plan'] : STEPS);
  return inOneVoice(async () => {
    story.about(asked.system);
    const facts = await orchestration.describeDrill(asked);
    if (asked.mode === 'plan') return planOnly(facts, story);
    return reportingFailure(asked.system, 'drill', () => run(asked, facts, story));
  });
}

async function planOnly(facts: DrillFacts, story: Story): Promise<DrillResult> {
  story.begin('plan');
  const plan = await planOf(facts);
  story.finish();
  return { outcome: 'planned', plan };
}

async function planOf(facts: DrillFacts): Promise<DrillPlan> {
  const { hostSilentSeconds: silentSeconds = SILENT_SECONDS, system, planner, startStack, stack } = facts;
  const drillId = workflowInfo().runId;
  const plan = await whileHostAnswers(system, planner, { summary: 'plan the drill', silentSeconds }, (host) =>
    host.planDrill({ ...facts, drillId }),
  );
  if (startStack === false) return plan;
  const input = stackInput(system, drillId, plan, stack);
  if (input === undefined) {
    const words = 'the stack is not started: no backup that is restored holds its Compose project';
    return startStack === true ? { ...plan, warnings: [...plan.warnings, words] } : plan;
  }
  const { host } = plan.components.find(({ name }) => name === stack) ?? { host: planner };
  const options = { summary: 'look at the Compose project', silentSeconds };
  const found = await whileHostAnswers(system, host, options, (there) => there.planScratchStack(input));
  return { ...plan, components: plan.components.map((one) => inService(one, found)), stack: found };
}

function inService(component: DrillComponent, { servers = [] }: DrillStackPlan): DrillComponent {
  const own = servers.find((server) => server.component === component.name);
  return own === undefined ? component : { ...component, becomes: `databases of the isolated service ${own.service}` };
}

async function run(asked: DrillInput, facts: DrillFacts, story: Story): Promise<DrillResult> {
  const { system, kind } = facts;
  const drillId = workflowInfo().runId;

  // People who are told can say that it suits them badly, and cancel it.
  if (facts.tellBeforeSeconds > 0) {
    story.begin('tell people');
    const begins = new Date(Date.now() + facts.tellBeforeSeconds * 1000).toISOString();
    await writeDown({
      system,
      kind: 'drill',
      id: `${drillId}-announced`,
      report: { outcome: 'announced', drill: kind, begins },
    });
    await sleep(facts.tellBeforeSeconds * 1000);
  }
  if (facts.freshPlans.length > 0) {
    story.begin('fresh backup');
    await backUpFirst(system, facts.freshPlans);
  }

  story.begin('plan');
  const startedAt = new Date().toISOString();
  const watch = new Stopwatch();
  const plan = await watch.time('plan', () => planOf(facts));
  const silentSeconds = facts.hostSilentSeconds ?? SILENT_SECONDS;
  const rehearsal: Rehearsal = { system, drillId, plan, silentSeconds, watch };
  let ended: Ended;
  try {
    ended = await rehearse(rehearsal, story);
  } catch (error) {
    if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
    ended = endOfFailure(error);
  } finally {
    story.begin('remove');
    await CancellationScope.nonCancellable(() => clearAll(rehearsal));
  }
  const report = reportOf({ asked, facts, plan, startedAt, drillId, watch }, ended);

  story.begin('report');
  const kept = await keep(facts, report);
  await writeDown({ system, kind: 'drill', id: drillId, report: { ...resultOf(kept), drill: kind } });
  story.finish();
  return resultOf(kept);
}

interface Ended extends Rehearsed {
  readonly failure?: DrillReport['failure'];
  readonly outcome?: DrillReport['outcome'];
}

/** What was seen before it failed is in the failure, so that the report has it. */
function endOfFailure(error: TemporalFailure): Ended {
  const { code, message, details } = told(error);
  const { checks = [], component } = (details ?? {}) as { checks?: DrillReport['checks']; component?: string };
  const outcome = outcomeOfFailure(code);
  const bad = { component: component ?? '', name: 'restore', ok: false, detail: `${message} [${code}]` };
  return {
    checks: component === undefined ? checks : [...checks, bad],
    failure: { code, message },
    outcome,
    warnings: [],
  };
}

interface Made {
  readonly asked: DrillInput;
  readonly facts: DrillFacts;
  readonly plan: DrillPlan;
  readonly startedAt: string;
  readonly drillId: string;
  readonly watch: Stopwatch;
}

function reportOf({ asked, facts, plan, startedAt, drillId, watch }: Made, ended: Ended): DrillReport {
  const allGood = ended.checks.every(({ ok }) => ok);
  // What is bad comes first, so that it is among those that are kept.
  const checks = ended.checks.toSorted((a, b) => Number(a.ok) - Number(b.ok));
  const left = checks.length - CHECKS_KEPT;
  return {
    system: facts.system,
    kind: facts.kind,
    drillId,
    by: asked.by ?? 'schedule',
    startedAt,
    finishedAt: new Date().toISOString(),
    outcome: ended.outcome ?? (allGood ? 'passed' : 'failed'),
    sources: plan.sources,
    components: plan.components.map(({ name, kind, host, sizeBytes, backup }) => ({
      name,
      kind,
      host,
      sizeBytes,
      backup,
    })),
    checks: checks
      .slice(0, CHECKS_KEPT)
      .map((check) => ({ ...check, detail: check.detail.slice(0, DETAIL_CHARACTERS) })),
    phases: watch.phases,
    rtoSeconds: watch.totalSeconds,
    ...(facts.rtoObjectiveSeconds === undefined ? {} : { rtoObjectiveSeconds: facts.rtoObjectiveSeconds }),
    measured: measuredComponents(watch.phases, facts.componentObjectives ?? {}),
    losses: plan.losses,
    ...(ended.stack === undefined ? {} : { stack: ended.stack }),
    ...(ended.failure === undefined ? {} : { failure: ended.failure }),
    warnings: [...plan.warnings, ...ended.warnings, ...(left > 0 ? [`${left} more checks were good`] : [])],
  };
}

type Kept = Awaited<ReturnType<ReturnType<typeof onHost>['keepDrill']>>;

async function keep({ system, keeper }: DrillFacts, report: DrillReport): Promise<Kept> {
  const { keepDrill } = onHost(keeper, { summary: 'keep the report' });
  return CancellationScope.nonCancellable(() => keepDrill({ system, report }));
}

function resultOf({ report, key, proofs }: Kept): DrillResult {
  const { outcome, failure: why } = report;
  return {
    outcome,
    ok: outcome === 'passed',
    ...(why === undefined ? {} : { why: why.message }),
    report,
    reportKey: key,
    proofs,
  };
}
