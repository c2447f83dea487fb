/** Puts back what a live tree lacks of a backup, and overwrites nothing; or takes such a run back. */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  log,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { MissingRequest } from '../activities/missing-types.ts';
import type { SystemFacts } from '../activities/types.ts';
import { touchesAnything } from '../policy/missing-changes.ts';
import { Gate, type Answer } from './approval.ts';
import { silenceOf } from './capture.ts';
import { QUERIES, type MissingInput, type MissingPlan, type MissingResult } from './contract.ts';
import { failure, inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { listOf } from './lists.ts';
import { withSystemLock } from './lock.ts';
import { namedComponent, notApproved } from './part-of-system.ts';
import { onHost, orchestration, whileHostAnswers } from './proxies.ts';
import { reportingFailure, writeDown } from './report.ts';
import { Story } from './story.ts';

const FIELDS: Fields<MissingInput> = {
  system: { ...NAME, required: true },
  component: { ...NAME, required: true },
  paths: { type: 'string' },
  changed: { type: 'boolean' },
  backup: { type: 'string' },
  plan: NAME,
  store: NAME,
  undo: NAME,
  mode: { type: 'string', oneOf: ['plan', 'restore'] },
  approve: { type: 'string' },
  approvedBy: { type: 'string' },
};

const STEPS = {
  plan: ['compare'],
  restore: ['compare', 'approval', 'wait for the system', 'put back', 'report'],
} as const;

const WAIT_SECONDS = 6 * 3600;
const NOTHING = { files: 0, directories: 0, links: 0, bytes: 0 };

export const missingPlanQuery = defineQuery<MissingPlan | undefined>(QUERIES.plan);

/** One run: what was asked, of whom, and how it is told. */
interface Errand {
  readonly asked: MissingInput;
  readonly facts: SystemFacts;
  readonly host: string;
  readonly request: MissingRequest;
  readonly story: Story;
  readonly gate: Gate;
  readonly show: (plan: MissingPlan) => void;
}

/** See MissingResult: `nothing`, `rejected` and `expired` are answers; whatever else went wrong is a failure. */
export async function restoreMissing(input: MissingInput): Promise<MissingResult> {
  let plan: MissingPlan | undefined;
  setHandler(missingPlanQuery, () => plan, { description: 'What would be put back' });
  const asked = parseInput<MissingInput>('restoreMissing', input, FIELDS);
  const way = asked.mode ?? 'restore';
  const story = new Story('restoreMissing', STEPS[way]);
  const gate = new Gate(story);
  return inOneVoice(async () => {
    try {
      story.about(asked.system);
      const facts = await orchestration.describeSystem({ system: asked.system });
      const errand = errandOf(asked, facts, story, gate, (shown) => (plan = shown));
      // A look leaves no report, whatever comes of it.
      return way === 'plan' ? await run(errand) : await reportingFailure(asked.system, 'missing', () => run(errand));
    } finally {
      await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    }
  });
}

function errandOf(asked: MissingInput, facts: SystemFacts, story: Story, gate: Gate, show: Errand['show']): Errand {
  const component = namedComponent(facts, asked.system, asked.component);
  const request: MissingRequest = {
    system: asked.system,
    component: component.name,
    missingId: workflowInfo().runId,
    paths: listOf(asked.paths),
    changed: asked.changed === true,
    ...(asked.undo === undefined ? {} : { undo: asked.undo }),
  };
  return { asked, facts, host: component.host, request, story, gate, show };
}

async function run(errand: Errand): Promise<MissingResult> {
  let result: MissingResult | undefined;
  try {
    result = await workOut(errand);
    return result;
  } finally {
    // What was put back can be taken back by its list; of a look a person wants to see the names.
    const keepFiles = errand.asked.mode === 'plan' || result?.outcome === 'restored';
    if (errand.request.undo === undefined) await CancellationScope.nonCancellable(() => discard(errand, keepFiles));
  }
}

async function workOut(errand: Errand): Promise<MissingResult> {
  const { asked, facts, story, gate, show, request } = errand;
  const beganAt = Date.now();

  story.begin('compare');
  const plan = await compare(errand);
  show(plan);
  const nothing = { plan, done: NOTHING, replaced: 0, left: 0, failed: 0, run: request.missingId };
  if (asked.mode === 'plan' || !touchesAnything(plan)) {
    story.finish();
    const outcome = asked.mode === 'plan' ? 'planned' : 'nothing';
    return { outcome, ...nothing, ...(outcome === 'nothing' ? { why: whyNothing(plan) } : {}) };
  }

  // Nothing is written before a person has seen exactly this preview.
  story.begin('approval');
  const refused = notApproved(await approvalOf(asked, facts, plan, gate), facts);
  if (refused !== undefined) return { ...nothing, ...refused };

  story.begin('wait for the system');
  const { system } = asked;
  const lock = { system, site: facts.site, operation: 'restoreMissing', waitSeconds: WAIT_SECONDS } as const;
  const locked = await withSystemLock(story, lock, () => putBack(errand, plan));
  if (!locked.held) throw failure('SystemBusy', locked.why);
  const result = { ...locked.value, durationMs: Date.now() - beganAt };

  story.begin('report');
  await writeDown({ system, kind: 'missing', id: request.missingId, report: { ...result } });
  story.finish();
  return result;
}

/** What was approved is a list of names; each is put back only where nothing has come in its place since. */
async function putBack(errand: Errand, approved: MissingPlan): Promise<MissingResult> {
  const { story, request, show } = errand;
  story.begin('put back');
  // What was brought may have been lost with its host's disk meanwhile; the same must come out, of the same backup.
  const plan = await compare(errand, approved);
  if (plan.digest !== approved.digest) {
    show(plan);
    throw failure('PlanChanged', `The preview approved was ${approved.digest}; now it is ${plan.digest}.`);
  }
  const host = onHost(errand.host, { summary: `put missing files back into ${request.component}` });
  const applied = await host.applyMissing(request);
  const outcome = request.undo === undefined ? 'restored' : 'undone';
  return { outcome, plan, ...applied, run: request.missingId };
}

/** The backup that was asked for, or just the one that is known already. */
function compare({ asked, facts, host, request }: Errand, known?: MissingPlan): Promise<MissingPlan> {
  const { backup, store } = known ?? asked;
  const plan = known === undefined ? asked.plan : undefined;
  const which = {
    ...(backup === undefined ? {} : { backup }),
    ...(plan === undefined ? {} : { plan }),
    ...(store === undefined || store === '' ? {} : { store }),
  };
  const input = { ...request, ...which, bring: asked.mode !== 'plan' };
  const options = { summary: `compare ${request.component}`, silentSeconds: silenceOf(facts) };
  return whileHostAnswers(request.system, host, options, (there) => there.planMissing(input));
}

async function discard({ facts, host, request }: Errand, keepFiles: boolean): Promise<void> {
  const options = { summary: 'remove the copies', patience: 'brief', giveUpAfterSeconds: silenceOf(facts) } as const;
  try {
    await onHost(host, options).discardMissing({ ...request, keepFiles });
  } catch (error) {
    // It costs space only; the result of the run is worth more.
    log.warn('the copies could not be removed', { run: request.missingId, why: told(error).message });
  }
}

function approvalOf(asked: MissingInput, facts: SystemFacts, plan: MissingPlan, gate: Gate): Promise<Answer> {
  const { missing, differ, undoes, changed } = plan;
  const { files, directories, links, bytes } = missing;
  const verb = undoes === undefined ? 'put back' : 'removed again';
  const differing = changed || undoes !== undefined ? 'replaced' : 'left as they are';
  const note = [
    `\`${plan.component}\` at \`${plan.place}\`. Digest \`${plan.digest}\`.`,
    ...(undoes === undefined ? [`Backup \`${plan.backup}\` of ${plan.pointAt}.`] : [`Takes back run \`${undoes}\`.`]),
    '',
    `- ${files} files, ${directories} directories, ${links} links (${bytes} bytes) ${verb}`,
    `- ${differ.files} files that differ ${differing}`,
    `- the names: \`${plan.listFile}\` on ${plan.host}`,
  ];
  return gate.askUnlessApproved(asked, plan.digest, 'approval', note.join('\n'), facts.approvalLimitSeconds);
}

function whyNothing({ undoes, same, differ, changedSince = 0 }: MissingPlan): string {
  if (undoes !== undefined) return `Nothing of run ${undoes} is left to take back; ${changedSince} have changed since.`;
  const kept = differ.files > 0 ? `; ${differ.files} differ and stay as they are live` : '';
  return `Nothing of the backup is missing: ${same} files are as in it${kept}.`;
}
