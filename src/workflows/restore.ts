/** Brings components of a system back from a backup, undoing everything by itself until the system is open again. */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  setHandler,
  workflowInfo,
  patched,
} from '@temporalio/workflow';
import type { SystemFacts } from '../activities/types.ts';
import { silenceOf } from './capture.ts';
import { passedOverTexts } from '../policy/fall-back.ts';
import { THAW_SPEEDS } from '../policy/thaw.ts';
import { Gate, type Answer } from './approval.ts';
import {
  QUERIES,
  workflowIds,
  type FellBack,
  type RestoreInput,
  type RestorePlan,
  type RestoreResult,
} from './contract.ts';
import { failure, inOneVoice } from './failure.ts';
import { FallBacks } from './fall-back.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { listOf } from './lists.ts';
import { withSystemLock } from './lock.ts';
import { withLogsPaused } from './pause-wal.ts';
import { againOf, planOf } from './plan-of-restore.ts';
import { prepareUnderLock, PREPARE_STEPS } from './prepare.ts';
import { preparedEverywhere, startPrepared } from './prepared-start.ts';
import { orchestration } from './proxies.ts';
import { reportingFailure, writeDown } from './report.ts';
import { bringBeside, discardAll, type Order } from './restore-beside.ts';
import { replaceLive } from './restore-live.ts';
import {
  partLines,
  refuseEmptyHanded,
  refuseHalves,
  refuseWithoutNeeded,
  thawsOf,
  Validation,
} from './restore-whole.ts';
import { safetyBackup } from './safety-backup.ts';
import { Story } from './story.ts';
import { thaw } from './thaw.ts';

const FIELDS: Fields<RestoreInput> = {
  system: { ...NAME, required: true },
  backup: { type: 'string' },
  plan: NAME,
  store: NAME,
  components: { type: 'string' },
  paths: { type: 'string' },
  target: { type: 'string' },
  recoverTo: { type: 'string' },
  mode: { type: 'string', oneOf: ['plan', 'verify', 'restore'] },
  approve: { type: 'string' },
  approvedBy: { type: 'string' },
  skipSafetyBackup: { type: 'boolean' },
  thaw: { type: 'string', oneOf: THAW_SPEEDS },
  whole: { type: 'boolean' },
  together: { type: 'boolean' },
  fallBacks: { type: 'number' },
  takeover: { type: 'number' },
  prepare: { type: 'boolean' },
  apart: { type: 'boolean' },
};

const STEPS = {
  plan: ['plan'],
  verify: ['plan', 'restore beside', 'check'],
  elsewhere: ['plan', 'restore beside', 'check', 'report'],
  prepare: [...PREPARE_STEPS],
  restore: [
    'plan',
    'approval',
    'wait for the system',
    'safety backup',
    'restore beside',
    'check',
    'stop',
    'swap in',
    'start',
    'check what runs',
    'keep the old state aside',
    'report',
  ],
  whole: [
    'plan',
    'approval',
    'wait for the system',
    'safety backup',
    'restore beside',
    'check',
    'stop',
    'swap in',
    'start',
    'validate',
    'reconcile',
    'check what runs',
    'keep the old state aside',
    'report',
  ],
} as const;

const WAIT_SECONDS = 6 * 3600;
const TEST_IS_REPORTED = 'restore-test-is-reported';

export const planQuery = defineQuery<RestorePlan | undefined>(QUERIES.plan);

/**
 * See RestoreResult: `rejected`, `expired` and `rolled-back` are answers; whatever else went wrong is a failure. `fellBack`:
 * what the failover that asks for it has found bad.
 */
export async function restore(input: RestoreInput, fellBack?: FellBack): Promise<RestoreResult> {
  let plan: RestorePlan | undefined;
  setHandler(planQuery, () => plan, { description: 'What the restore would do' });
  const asked = parseInput<RestoreInput>('restore', input, FIELDS);
  const way = wayOf(asked);
  const story = new Story('restore', STEPS[way === 'restore' && asked.whole === true ? 'whole' : way]);
  const gate = new Gate(story);
  return inOneVoice(async () => {
    try {
      return await run({ asked, fellBack, way, story, gate, show: (printed) => (plan = printed) });
    } finally {
      await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    }
  });
}

type Way = 'plan' | 'verify' | 'elsewhere' | 'prepare' | 'restore';

function wayOf({ mode = 'restore', target, prepare }: RestoreInput): Way {
  if (mode !== 'restore') return mode;
  if (target !== undefined) return 'elsewhere';
  return prepare === true ? 'prepare' : 'restore';
}

/** One run: what was asked, and how it is told. */
interface Errand {
  readonly asked: RestoreInput;
  readonly fellBack: FellBack | undefined;
  readonly way: Way;
  readonly story: Story;
  readonly gate: Gate;
  readonly show: (plan: RestorePlan) => void;
}

async function run(errand: Errand): Promise<RestoreResult> {
  const { asked, way, story } = errand;
  const { system } = asked;
  refuseHalves(asked);
  story.about(system);
  const facts = await orchestration.describeSystem({ system });
  const work = () => runOn(facts, errand);
  // A look leaves no report, whatever comes of it; what is restored ahead is told by who asks for it, once.
  return way === 'plan' || way === 'verify' || way === 'prepare' ? work() : reportingFailure(system, 'restore', work);
}

async function runOn(facts: SystemFacts, errand: Errand): Promise<RestoreResult> {
  const fallBacks = new FallBacks(errand, STEPS.whole);
  for (;;) {
    errand.story.begin('plan');
    const plan = await planOf(facts, fallBacks.request());
    errand.show(plan);
    try {
      return await runPlan(facts, plan, errand, fallBacks);
    } catch (error) {
      if (errand.way !== 'restore' && errand.way !== 'prepare') throw error;
      // Nothing was stopped yet, and an approval of this plan is none of the next.
      fallBacks.after(error, plan);
      if (errand.way === 'prepare') fallBacks.answered();
    }
  }
}

async function runPlan(
  facts: SystemFacts,
  plan: RestorePlan,
  { asked, way, story, gate, show }: Errand,
  fallBacks: FallBacks,
): Promise<RestoreResult> {
  const { system } = asked;
  const nothing = { plan, checks: [], aside: [] };
  if (way === 'plan') return { outcome: 'planned', ...nothing };
  refuseWithoutNeeded(plan);

  const silentSeconds = silenceOf(facts);
  const order: Order = {
    ...{ system, plan, restoreId: fallBacks.restoreId(), paths: listOf(asked.paths), silentSeconds },
    ...(asked.takeover === undefined ? {} : { takeover: true }),
  };
  if (way !== 'restore') await thawUnasked(order, asked, story);
  if (way === 'verify') return proveOnly({ ...order, verify: true }, story);
  if (way === 'elsewhere') return besideOnly({ ...order, target: asked.target ?? '' }, story);

  if (way === 'prepare') return prepareUnderLock(order, facts, story);

  // Nothing is overwritten before a person has seen exactly this plan.
  story.begin('approval');
  const answer = await approvalOf(fallBacks, facts, plan, gate);
  fallBacks.answered();
  if (answer.kind === 'rejected') {
    return { outcome: 'rejected', ...nothing, why: `${answer.by} rejected the plan: ${answer.why}` };
  }
  if (answer.kind === 'expired') {
    return { outcome: 'expired', ...nothing, why: `Nobody approved within ${facts.approvalLimitSeconds} s.` };
  }

  // For hours or days: before the lock, so that backups go on meanwhile.
  for (const one of thawsOf(order)) await thaw(one, story);

  story.begin('wait for the system');
  const lock = { system, site: facts.site, operation: 'restore', waitSeconds: WAIT_SECONDS } as const;
  const locked = await withSystemLock(story, lock, async () => {
    // While approval and lock were waited for, the world went on: the same plan must come out, of the same backup.
    const again = await planOf(facts, againOf(fallBacks.request(), plan));
    if (again.digest !== plan.digest) {
      show(again);
      throw failure('PlanChanged', `The plan approved was ${plan.digest}; now it is ${again.digest}.`);
    }
    return restoreLocked({ ...order, plan: again }, facts, asked, story, gate);
  });
  if (!locked.held) throw failure('SystemBusy', locked.why);
  story.begin('report');
  await writeDown({ system, kind: 'restore', id: workflowInfo().runId, report: { ...locked.value } });
  story.finish();
  return locked.value;
}

/** Thawing costs money: where nobody is asked to approve the plan, whoever starts it has to say that he wants it. */
async function thawUnasked(order: Order, asked: RestoreInput, story: Story): Promise<void> {
  const { frozen } = order.plan;
  if (frozen === undefined) return;
  if (asked.thaw === undefined) {
    const what = `${frozen.objects} objects of backup ${order.plan.backup} in ${order.plan.store} are frozen`;
    throw failure('ObjectFrozen', `${what}; say how fast they are to be thawed: ${THAW_SPEEDS.join(', ')}.`, {
      ...frozen,
    });
  }
  for (const one of thawsOf(order)) await thaw(one, story);
}

/** Whoever approved a failover has approved this plan with it, by as many eyes as the system file asks for. */
function approvedWithFailover(
  { system, takeover, approve, approvedBy = '' }: RestoreInput,
  plan: RestorePlan,
): boolean {
  const isOfFailover = workflowInfo().parent?.workflowId === workflowIds.failover(system);
  return takeover !== undefined && isOfFailover && approve === plan.digest && approvedBy !== '';
}

async function approvalOf(fallBacks: FallBacks, facts: SystemFacts, plan: RestorePlan, gate: Gate): Promise<Answer> {
  const request = fallBacks.request();
  if (approvedWithFailover(request, plan)) return { kind: 'approved', by: request.approvedBy ?? '' };
  const lines = plan.actions.map(({ action, component, on }) => `- ${action} \`${component}\`: ${on.join(', ')}`);
  const note = [
    `Backup \`${plan.backup}\` of ${plan.pointAt}. Digest \`${plan.digest}\`.`,
    '',
    ...partLines(plan),
    ...lines,
    ...(plan.keepAsideSeconds === undefined ? [] : [`- what is replaced is kept aside for ${plan.keepAsideSeconds} s`]),
  ].join('\n');
  return gate.askUnlessApproved(
    fallBacks.request(),
    plan.digest,
    fallBacks.question(),
    note,
    facts.approvalLimitSeconds,
  );
}

async function restoreLocked(
  order: Order,
  facts: SystemFacts,
  asked: RestoreInput,
  story: Story,
  gate: Gate,
): Promise<RestoreResult> {
  const beganAt = Date.now();
  const made = asked.takeover === undefined ? undefined : await preparedEverywhere(order);
  if (made !== undefined) return startPrepared({ order, facts, made }, story, gate);

  // What will be replaced is kept first, as it is; without a place to keep it the restore goes on and says so.
  story.begin('safety backup');
  const safety = asked.skipSafetyBackup === true ? { warnings: [] } : await safetyBackup(order.plan, facts);

  const { besides, checks, left } = await bringBeside(order, story);
  refuseEmptyHanded(besides, left);
  const validation = order.plan.whole === undefined ? undefined : new Validation(facts, order.plan, story);
  const live = {
    ...order,
    besides,
    limitSeconds: facts.approvalLimitSeconds,
    ...(validation === undefined ? {} : { validate: () => validation.run() }),
  };
  const replaced = await withLogsPaused(
    facts,
    besides.map(({ component }) => component),
    () => replaceLive(live, story, gate),
  );
  const allLeft = [...left, ...replaced.left];
  const warnings = [
    ...passedOverTexts(order.plan.whole?.passedOver ?? []),
    ...safety.warnings,
    ...replaced.warnings,
    ...(validation?.warnings() ?? []),
    ...allLeft.map(({ name, why }) => `${name} was left as it was: ${why}`),
  ];
  return {
    outcome: replaced.outcome,
    plan: order.plan,
    checks: [...checks, ...replaced.checks],
    aside: replaced.aside,
    downtimeMs: replaced.downtimeMs,
    durationMs: Date.now() - beganAt,
    ...(replaced.why === undefined ? {} : { why: replaced.why }),
    ...(safety.backup === undefined ? {} : { safetyBackup: safety.backup }),
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(validation === undefined ? {} : { whole: validation.result(allLeft, replaced.outcome === 'restored') }),
  };
}

/** Restores beside, checks, removes. */
async function proveOnly(order: Order, story: Story): Promise<RestoreResult> {
  const beganAt = Date.now();
  const { besides, checks, left } = await bringBeside(order, story);
  await discardAll(order, besides);
  const durationMs = Date.now() - beganAt;
  const warnings = left.map(({ name, why }) => `${name} could not be restored: ${why}`);
  const result: RestoreResult = {
    outcome: 'verified',
    plan: order.plan,
    checks,
    aside: [],
    durationMs,
    ...(warnings.length === 0 ? {} : { warnings }),
  };
  // Before, a restore that was only a test left no trace of having been made.
  if (patched(TEST_IS_REPORTED)) {
    story.begin('report');
    await writeDown({ system: order.system, kind: 'restore', id: order.restoreId, report: { ...result } });
  }
  story.finish();
  return result;
}

/** Restores to another place: nothing live is touched, so there is nothing to approve, stop or swap. */
async function besideOnly(order: Order, story: Story): Promise<RestoreResult> {
  const beganAt = Date.now();
  const { checks } = await bringBeside(order, story);
  const durationMs = Date.now() - beganAt;
  const result: RestoreResult = { outcome: 'restored', plan: order.plan, checks, aside: [], durationMs };
  story.begin('report');
  await writeDown({ system: order.system, kind: 'restore', id: order.restoreId, report: { ...result } });
  story.finish();
  return result;
}
