/**
 * Removes from one store the backups that no rule keeps, and what only they needed. Takes no lock of the system: captures
 * and copies go on beside it, by the protocol of sweeps. One runs at a time for a store, because its id is the store's.
 */
import { defineQuery, patched, setHandler, sleep, workflowInfo } from '@temporalio/workflow';
import type { PruneSummary } from '../activities/types.ts';
import { Gate } from './approval.ts';
import { QUERIES, type PruneInput, type PruneResult } from './contract.ts';
import { inOneVoice } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { orchestration, pruningOn } from './proxies.ts';
import { reportingFailure, writeDown } from './report.ts';
import { Story } from './story.ts';

const FIELDS: Fields<PruneInput> = {
  system: { ...NAME, required: true },
  store: { ...NAME, required: true },
  dryRun: { type: 'boolean' },
  yes: { type: 'boolean' },
  minimumAgeSeconds: { type: 'number' },
  graceSeconds: { type: 'number' },
};

const STEPS = ['decide', 'remove backups', 'grace', 'sweep', 'keep locks', 'report'] as const;
const KEEPS_LOCKS = 'keeps-locks';
/** Restores that read a backup which has just been removed come to an end, and so do most open captures. */
const GRACE_SECONDS = 3600;

export const prunePlanQuery = defineQuery<PruneSummary | undefined>(QUERIES.plan);

export async function prune(input: PruneInput): Promise<PruneResult> {
  let plan: PruneSummary | undefined;
  setHandler(prunePlanQuery, () => plan, { description: 'What the prune would remove' });
  const asked = parseInput<PruneInput>('prune', input, FIELDS);
  const story = new Story('prune', STEPS);
  const gate = new Gate(story);
  return inOneVoice(() =>
    reportingFailure(asked.system, 'prune', () => run({ asked, story, gate, show: (made) => (plan = made) })),
  );
}

/** One run: what was asked, and how it is told. */
interface Errand {
  readonly asked: PruneInput;
  readonly story: Story;
  readonly gate: Gate;
  readonly show: (plan: PruneSummary) => void;
}

async function run({ asked, story, gate, show }: Errand): Promise<PruneResult> {
  const { system, store } = asked;
  story.about(system);
  const { host } = await orchestration.describeCopy({ system, target: store });
  const { approvalLimitSeconds } = await orchestration.describeSystem({ system });
  const steps = pruningOn(host, `prune ${store}`);
  const age = asked.minimumAgeSeconds === undefined ? {} : { minimumAgeSeconds: asked.minimumAgeSeconds };

  story.begin('decide');
  const plan = await steps.planPrune({ system, store, ...age });
  show(plan);
  if (asked.dryRun === true) return end(story, asked, { outcome: 'planned', plan });

  // Half of a plan's backups at once is what a wrong file does, or somebody who wants them gone.
  if (plan.asks.length > 0) {
    const beforehand = asked.yes === true ? { approve: plan.digest } : {};
    const answer = await gate.askUnlessApproved(
      beforehand,
      plan.digest,
      'approval',
      noteOf(plan),
      approvalLimitSeconds,
    );
    if (answer.kind === 'rejected') return end(story, asked, { outcome: 'rejected', plan, why: answer.why });
    if (answer.kind === 'expired') return end(story, asked, { outcome: 'expired', plan });
  }

  // The plan is made again under the store's lock; what would then have to be asked about has another digest.
  story.begin('remove backups');
  const { runId, startTime } = workflowInfo();
  const begun = { system, store, runId, startedAtMs: startTime.getTime() };
  const removed = await steps.condemnPruned({ ...begun, ...age, digest: plan.digest });
  if (removed.sweep === undefined) {
    return end(story, asked, { outcome: 'nothing', plan, ...(await locksOf(asked, steps, story)) });
  }

  story.begin('grace');
  await sleep((asked.graceSeconds ?? GRACE_SECONDS) * 1000);

  story.begin('sweep');
  const swept = await steps.sweepCondemned({ system, store, sweep: removed.sweep });
  return end(story, asked, {
    outcome: swept.outcome,
    plan,
    removedBackups: removed.backups,
    lockedBackups: removed.lockedBackups,
    deletedObjects: swept.objects,
    deletedBytes: swept.bytes,
    lockedObjects: swept.locked,
    settled: swept.settled,
    ...(swept.walObjects === undefined ? {} : { walObjects: swept.walObjects, walBytes: swept.walBytes ?? 0 }),
    ...(swept.leftovers === undefined ? {} : { leftovers: swept.leftovers }),
    ...(swept.to.length === 0 ? {} : { why: `captures were open: ${swept.to.join(', ')}` }),
    ...(await locksOf(asked, steps, story)),
  });
}

/** What stays is locked for longer here, by the keeper's credentials: no capturing host has the right to. */
async function locksOf(
  { system, store }: PruneInput,
  steps: ReturnType<typeof pruningOn>,
  story: Story,
): Promise<Pick<PruneResult, 'locks'>> {
  if (!patched(KEEPS_LOCKS)) return {};
  story.begin('keep locks');
  const locks = await steps.keepLocks({ system, store });
  return locks === undefined ? {} : { locks };
}

async function end(story: Story, asked: PruneInput, result: PruneResult): Promise<PruneResult> {
  story.begin('report');
  const { system } = asked;
  const about = aboutOf(asked, result);
  await writeDown({ system, kind: 'prune', id: workflowInfo().runId, report: { ...result }, about });
  story.finish();
  return result;
}

/** With what was asked for beyond the rules. */
function aboutOf(asked: PruneInput, { removedBackups = 0 }: PruneResult): string {
  const { store, yes, minimumAgeSeconds, graceSeconds } = asked;
  const forced = [
    ...(yes === true ? ['approved by who asked'] : []),
    ...(minimumAgeSeconds === undefined ? [] : [`what is older than ${minimumAgeSeconds} s`]),
    ...(graceSeconds === undefined ? [] : [`${graceSeconds} s of grace`]),
  ];
  return [`${removedBackups} backups of ${store}`, ...forced].join(', ');
}

function noteOf({ digest, asks, removes, removesCount }: PruneSummary): string {
  const shown = removes.slice(0, 20).map(({ backup, plan, startedAt }) => `- ${backup} of ${plan}, ${startedAt}`);
  const more = removesCount > shown.length ? [`- and ${removesCount - shown.length} more`] : [];
  return [...asks, '', 'Approve the digest', `\`${digest}\``, 'to remove these backups:', '', ...shown, ...more].join(
    '\n',
  );
}
