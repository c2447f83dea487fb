/**
 * The site that takes over brings a system back from a lost site: it looks, decides, asks, raises the generation, waits until
 * the site before is fenced, and restores. Until the system is started here every failure gives the generation back.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  isCancellation,
  setHandler,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { FailoverSetup } from '../activities/failover-types.ts';
import { measured, seconds, WAITING_STEPS } from '../policy/failover/takeover.ts';
import { Gate, type Answer } from './approval.ts';
import { handToAudit } from './audited.ts';
import {
  QUERIES,
  type FailoverInput,
  type FailoverPlan,
  type FailoverReport,
  type FailoverResult,
} from './contract.ts';
import { lookOnce, prepare, type Decided } from './failover-plan.ts';
import { leadNames } from './failover-names.ts';
import { automaticBy, noteOf, olderCopy, type Errand } from './failover-older.ts';
import { approvedWith, asPlanned, stopOther } from './failover-planned.ts';
import { giveBack, takeOver, takeOverAnew, type TakenOver, type Takeover } from './failover-steps.ts';
import { failure, inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { orchestration, urgentlyOn } from './proxies.ts';
import { reportingFailure, writeDown } from './report.ts';
import { Story } from './story.ts';

const FIELDS: Fields<FailoverInput> = {
  system: { ...NAME, required: true },
  mode: { type: 'string', oneOf: ['plan', 'failover'] },
  planned: { type: 'boolean' },
  backAfterSeconds: { type: 'number' },
  backOf: { type: 'number' },
  backup: { type: 'string' },
  attestedBy: { type: 'string' },
  approve: { type: 'string' },
  approvedBy: { type: 'string' },
  fallBacksUnasked: { type: 'number' },
  inVain: { type: 'number' },
};

const PREPARED = ['assess', 'gather', 'decide and plan'];
const PLANNED = [WAITING_STEPS.handover, 'plan the last backup'];
const STEPS = {
  plan: PREPARED,
  failover: [
    ...PREPARED,
    WAITING_STEPS.approval,
    'hold',
    'raise',
    WAITING_STEPS.fence,
    'clear',
    'restore',
    WAITING_STEPS.names,
    'public check',
    'report',
  ],
};

export const failoverPlanQuery = defineQuery<FailoverPlan | undefined>(QUERIES.plan);

/** See FailoverResult: refusals, rejections and what was rolled back are answers; whatever else went wrong is a failure. */
export async function failover(input: FailoverInput): Promise<FailoverResult> {
  let plan: FailoverPlan | undefined;
  setHandler(failoverPlanQuery, () => plan, { description: 'What the failover would do' });
  const asked = parseInput<FailoverInput>('failover', input, FIELDS);
  const steps = STEPS[asked.mode ?? 'failover'];
  const isPlanned = asked.planned === true && asked.mode !== 'plan';
  const story = new Story(
    'failover',
    isPlanned ? steps.flatMap((step) => (step === 'hold' ? [...PLANNED, step] : [step])) : steps,
  );
  const gate = new Gate(story);
  return inOneVoice(async () => {
    try {
      const { system } = asked;
      story.about(system);
      const setup = await orchestration.describeFailover({ system });
      const facts = await orchestration.describeSystem({ system });
      refuseHalves(asked, setup);
      const errand: Errand = { asked, setup, facts, story, gate, show: (printed) => (plan = printed) };
      if (asked.mode === 'plan') return await run(errand);
      return await reportingFailure(system, 'failover', () => run(errand));
    } finally {
      await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    }
  });
}

function refuseHalves(asked: FailoverInput, { fencing, system }: FailoverSetup): void {
  const { attestedBy, planned = false, backup, backAfterSeconds, backOf } = asked;
  if (attestedBy !== undefined && fencing !== 'attested') {
    throw failure('BadInput', `failover: "attestedBy" belongs to "fencing: attested", and ${system} says ${fencing}.`);
  }
  if (planned && backup !== undefined) {
    throw failure(
      'BadInput',
      'failover: with "planned" the last backup is restored, which is made for it: no "backup".',
    );
  }
  if (!planned && (backAfterSeconds !== undefined || backOf !== undefined)) {
    throw failure('BadInput', 'failover: "backAfterSeconds" and "backOf" belong to "planned".');
  }
}

async function run(errand: Errand): Promise<FailoverResult> {
  const { asked, setup, story } = errand;
  const prepared = await prepare(asked, errand, story);
  if (prepared.kind === 'refuse') return refused(errand, prepared);
  const decided = asked.planned === true ? await asPlanned(errand, prepared.decided) : prepared.decided;
  const { plan } = decided;
  const { assessment } = plan;
  errand.show(plan);
  if (asked.mode === 'plan') {
    story.finish();
    return { outcome: 'planned', plan, assessment };
  }

  const before = await approvedWith(errand);
  if (before !== undefined) return changePlanned(errand, decided, before);
  story.begin(WAITING_STEPS.approval);
  const answer = await approvalOf(errand, plan);
  if (answer.kind === 'rejected') {
    return { outcome: 'rejected', plan, assessment, why: `${answer.by} rejected the plan: ${answer.why}` };
  }
  if (answer.kind === 'expired') {
    return { outcome: 'expired', plan, assessment, why: `Nobody approved within ${setup.approvalLimitSeconds} s.` };
  }
  if (asked.planned === true) return changePlanned(errand, decided, answer.by);
  // While a person read, the site may have come back.
  if (answer.kind === 'approved' && asked.approve === undefined) {
    const again = await lookOnce(setup);
    if (again.state === 'up') return refused(errand, { assessment: again, reasons: again.reasons }, plan);
  }
  return change(errand, decided, answer.by);
}

function refused(
  { asked, story }: Errand,
  { assessment, reasons }: Required<Pick<FailoverResult, 'assessment' | 'reasons'>>,
  plan?: FailoverPlan,
): Promise<FailoverResult> {
  story.fail(reasons.join('; '));
  const result: FailoverResult = {
    outcome: 'refused',
    why: reasons.join('; '),
    reasons,
    assessment,
    ...(plan === undefined ? {} : { plan }),
  };
  if (asked.mode === 'plan' || (asked.inVain ?? 0) > 0) return Promise.resolve(result);
  return written(asked.system, result);
}

async function written(system: string, result: FailoverResult): Promise<FailoverResult> {
  const { plan, ...rest } = result;
  const digest = plan === undefined ? {} : { plan: { digest: plan.digest } };
  await writeDown({ system, kind: 'failover', id: workflowInfo().runId, report: { ...rest, ...digest } });
  return result;
}

async function approvalOf(
  { asked, setup, gate }: Errand,
  plan: FailoverPlan,
): Promise<Answer | { kind: 'automatic'; by: string }> {
  if (plan.approval === 'automatic') {
    return { kind: 'automatic', by: automaticBy(setup.system) };
  }
  return gate.askUnlessApproved(asked, plan.digest, 'approval', noteOf(plan), setup.approvalLimitSeconds);
}

/** Nothing is changed here until the other site has stopped, and it starts again wherever nothing was raised. */
async function changePlanned(errand: Errand, decided: Decided, by: string): Promise<FailoverResult> {
  const other = await stopOther(errand, decided, by);
  const { plan } = decided;
  if (other.kind === 'refused') return refused(errand, { assessment: plan.assessment, reasons: other.reasons }, plan);
  errand.show(other.decided.plan);
  const why = 'the takeover was given up before its generation was raised';
  let result: FailoverResult;
  try {
    result = await change({ ...errand, other }, other.decided, by);
  } catch (error) {
    if (error instanceof TemporalFailure) await other.letBack(why);
    throw error;
  }
  if (result.outcome !== 'done') await other.letBack(why);
  return result;
}

/** From here on something is changed, and until the system is started all of it is taken back when a step fails. */
async function change(errand: Errand, decided: Decided, by: string): Promise<FailoverResult> {
  const { setup, asked, story, other } = errand;
  const { runId, workflowId } = workflowInfo();
  let now: Takeover = {
    ...{ setup, decided, by, story },
    fellBack: { times: 0, passedOver: [] },
    raiseId: `${workflowId}/${runId}`.slice(-190),
    attestedBy: asked.attestedBy ?? by,
    reached: { raising: false, restoring: false, ...(other === undefined ? {} : { fence: other.fence }) },
    audit: (what, digest, about) =>
      handToAudit({ system: setup.system, operation: 'failover', what, digest, about, by }),
  };
  let taken: TakenOver | undefined;
  try {
    for (let way = takeOver; taken === undefined; way = takeOverAnew) {
      try {
        taken = await way(now);
      } catch (error) {
        // What was promised is that nothing is lost: the site before goes on rather.
        if (other !== undefined) throw error;
        now = await olderCopy(errand, now, error);
      }
    }
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    const why = told(error).message;
    story.fail(why);
    const back = await CancellationScope.nonCancellable(() => giveBack(now, error));
    if (isCancellation(error)) throw error;
    return finish(errand, now, { outcome: 'rolled-back', ok: false, why, ...back });
  }
  const { plan } = now.decided;
  if (taken.kind === 'taken') {
    const reason = `generation ${taken.n} was raised for ${taken.site} meanwhile: nothing was changed`;
    return refused(errand, { assessment: plan.assessment, reasons: [reason] }, plan);
  }
  const { done } = taken;
  if (plan.names !== undefined) story.begin(WAITING_STEPS.names);
  const names = plan.names === undefined ? undefined : await leadNames(setup, plan.names);
  const checked = await publicly(errand);
  return finish(errand, now, {
    outcome: 'done',
    ...done,
    ok: done.ok !== false && checked.ok && names?.ok !== false && !(setup.names === true && names === undefined),
    ...(names === undefined ? {} : { names }),
    publicCheck: checked,
  });
}

/** The system runs here: what is wrong from now on is said, and a person decides. */
async function publicly({ setup, story }: Errand): Promise<{ ok: boolean; detail: string }> {
  if (!setup.publicCheck) return { ok: true, detail: 'the system file declares no `check`' };
  story.begin('public check');
  try {
    const there = urgentlyOn(setup.hosts[0] ?? '', { summary: 'ask through the public name', attempts: 3 });
    return await there.checkPublic({ system: setup.system });
  } catch (error) {
    if (isCancellation(error)) return { ok: false, detail: 'it was cancelled before it had answered' };
    return { ok: false, detail: told(error).message };
  }
}

type Ended = Pick<FailoverResult, 'ok' | 'why' | 'generation' | 'fence' | 'names' | 'publicCheck' | 'warnings'> & {
  readonly outcome: 'done' | 'rolled-back';
};

async function finish(errand: Errand, { decided, by }: Takeover, ended: Ended): Promise<FailoverResult> {
  const { setup, story, other } = errand;
  const { plan } = decided;
  const phases = story.phases();
  const planned = other && { downSeconds: seconds(other.downSeconds * 1000 + Date.now() - other.atMs) };
  const result: FailoverResult = {
    ...ended,
    plan,
    assessment: plan.assessment,
    ...(ended.outcome === 'done' ? { rto: measured(phases) } : {}),
    ...(planned === undefined ? {} : { planned }),
    phases: phases.map(({ name, ms }) => ({ name, seconds: seconds(ms) })),
  };
  if (ended.ok !== true) story.needsOperator(true);
  story.begin('report');
  const kept = await keep(setup, reportOf(setup, plan, by, result));
  const warnings = [...(result.warnings ?? []), ...kept.warnings];
  const whole = {
    ...result,
    ...(kept.key === undefined ? {} : { reportKey: kept.key }),
    ...(warnings.length === 0 ? {} : { warnings }),
  };
  await written(setup.system, whole);
  story.finish();
  return whole;
}

/** What was done stays done when no store takes the report. */
async function keep(setup: FailoverSetup, report: FailoverReport): Promise<{ key?: string; warnings: string[] }> {
  try {
    const there = urgentlyOn(setup.hosts[0] ?? '', { summary: 'keep the report', attempts: 5 });
    const { key, unread } = await CancellationScope.nonCancellable(() => there.keepFailover({ report }));
    return { key, warnings: unread.map((words) => `the report is not in ${words}`) };
  } catch (error) {
    return { warnings: [`no store took the report: ${told(error).message}`] };
  }
}

function reportOf(setup: FailoverSetup, plan: FailoverPlan, by: string, result: FailoverResult): FailoverReport {
  const { fence, rto, why, planned } = result;
  const parts = plan.restore.whole?.parts ?? [];
  return {
    system: setup.system,
    failoverId: workflowInfo().runId,
    startedAt: workflowInfo().startTime.toISOString(),
    finishedAt: new Date().toISOString(),
    outcome: result.outcome === 'done' ? 'done' : 'rolled-back',
    ok: result.ok === true,
    site: setup.site,
    from: plan.from,
    generation: result.generation ?? { n: plan.from.generation, site: plan.from.site },
    digest: plan.digest,
    approvedBy: by,
    ...(result.names?.entries === undefined ? {} : { names: result.names.entries }),
    fencing: setup.fencing,
    ...(fence === undefined ? {} : { evidence: fence.evidence }),
    backups: [...new Set(parts.map(({ backup }) => backup))],
    dataLossSeconds: plan.dataLossSeconds,
    ...(plan.rpoSeconds === undefined ? {} : { rpoSeconds: plan.rpoSeconds }),
    ...(rto === undefined ? {} : { rto }),
    ...(planned === undefined ? {} : { planned }),
    phases: result.phases ?? [],
    ...(why === undefined ? {} : { why }),
    warnings: result.warnings ?? [],
  };
}
