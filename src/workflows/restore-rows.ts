/** Puts single rows of a backup back into the live database, without touching the rest. */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  log,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { RowsBrought, RowsRequest, SystemFacts } from '../activities/types.ts';
import { changesAnything } from '../policy/rows-changes.ts';
import { Gate, type Answer } from './approval.ts';
import { silenceOf } from './capture.ts';
import { QUERIES, type RowsInput, type RowsPlan, type RowsResult } from './contract.ts';
import { failure, inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { withSystemLock } from './lock.ts';
import { namedComponent, notApproved } from './part-of-system.ts';
import { onHost, orchestration, whileHostAnswers } from './proxies.ts';
import { reportingFailure, writeDown } from './report.ts';
import { Story } from './story.ts';

const FIELDS: Fields<RowsInput> = {
  system: { ...NAME, required: true },
  component: { ...NAME, required: true },
  table: { type: 'string', required: true },
  where: { type: 'string' },
  from: { type: 'string' },
  backups: { type: 'number' },
  valid: { type: 'string' },
  onChanged: { type: 'string', oneOf: ['keep', 'restore'] },
  backup: { type: 'string' },
  plan: NAME,
  store: NAME,
  recoverTo: { type: 'string' },
  database: { type: 'string' },
  mode: { type: 'string', oneOf: ['plan', 'restore'] },
  approve: { type: 'string' },
  approvedBy: { type: 'string' },
  keepCopy: { type: 'boolean' },
};

const LOOK = ['restore for inspection', 'compare'];
const STEPS = {
  plan: LOOK,
  restore: [...LOOK, 'approval', 'wait for the system', 'compare again', 'put rows back', 'report'],
} as const;

const WAIT_SECONDS = 6 * 3600;

export const rowsPlanQuery = defineQuery<RowsPlan | undefined>(QUERIES.plan);

/** One run: what was asked, of whom, and how it is told. */
interface Errand {
  readonly asked: RowsInput;
  readonly facts: SystemFacts;
  readonly host: string;
  readonly request: RowsRequest;
  readonly story: Story;
  readonly gate: Gate;
  readonly show: (plan: RowsPlan) => void;
}

/** See RowsResult: `nothing`, `rejected` and `expired` are answers; whatever else went wrong is a failure. */
export async function restoreRows(input: RowsInput): Promise<RowsResult> {
  let plan: RowsPlan | undefined;
  setHandler(rowsPlanQuery, () => plan, { description: 'What would be put back' });
  const asked = parseInput<RowsInput>('restoreRows', input, FIELDS);
  const way = asked.mode ?? 'restore';
  const story = new Story('restoreRows', STEPS[way]);
  const gate = new Gate(story);
  return inOneVoice(async () => {
    try {
      story.about(asked.system);
      const facts = await orchestration.describeSystem({ system: asked.system });
      const errand = errandOf(asked, facts, story, gate, (shown) => (plan = shown));
      // A look leaves no report, whatever comes of it.
      return way === 'plan' ? await run(errand) : await reportingFailure(asked.system, 'rows', () => run(errand));
    } finally {
      await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    }
  });
}

function errandOf(asked: RowsInput, facts: SystemFacts, story: Story, gate: Gate, show: Errand['show']): Errand {
  const component = namedComponent(facts, asked.system, asked.component);
  const { system, table, where, valid, database, onChanged = 'keep' } = asked;
  const request: RowsRequest = {
    system,
    component: component.name,
    rowsId: workflowInfo().runId,
    table,
    onChanged,
    ...(where === undefined ? {} : { where }),
    ...(valid === undefined ? {} : { valid }),
    ...(database === undefined ? {} : { database }),
  };
  return { asked, facts, host: component.host, request, story, gate, show };
}

async function run(errand: Errand): Promise<RowsResult> {
  const keeps = { copy: errand.asked.keepCopy === true, files: errand.asked.mode === 'plan' };
  let result: RowsResult | undefined;
  try {
    result = await workOut(errand);
    return keeps.copy ? { ...result, copy: result.plan.copy } : result;
  } finally {
    // Whatever was not written to the live database leaves nothing with its rows in it behind.
    const keepFiles = keeps.files || keeps.copy || result?.outcome === 'restored';
    if (!keeps.copy) await CancellationScope.nonCancellable(() => discard(errand, keepFiles));
  }
}

async function workOut(errand: Errand): Promise<RowsResult> {
  const { asked, facts, story, gate, show } = errand;
  const beganAt = Date.now();

  story.begin('restore for inspection');
  const brought = await bring(errand);

  story.begin('compare');
  const plan = await preview(errand, brought);
  show(plan);
  const nothing = { plan, added: 0, replaced: 0, checks: [] };
  if (asked.mode === 'plan') {
    story.finish();
    return { outcome: 'planned', ...nothing };
  }
  if (!changesAnything(plan)) {
    story.finish();
    return { outcome: 'nothing', ...nothing, why: whyNothing(plan) };
  }

  // Nothing is written before a person has seen exactly this preview.
  story.begin('approval');
  const refused = notApproved(await approvalOf(asked, facts, plan, gate), facts);
  if (refused !== undefined) return { ...nothing, ...refused };

  story.begin('wait for the system');
  const { system } = asked;
  const lock = { system, site: facts.site, operation: 'restoreRows', waitSeconds: WAIT_SECONDS } as const;
  const locked = await withSystemLock(story, lock, () => putBack(errand, brought, plan));
  if (!locked.held) throw failure('SystemBusy', locked.why);
  const result = { ...locked.value, durationMs: Date.now() - beganAt };

  story.begin('report');
  await writeDown({ system, kind: 'rows', id: errand.request.rowsId, report: { ...result } });
  story.finish();
  return result;
}

/** While approval and lock were waited for, others went on writing: the rows concerned must be the same ones. */
async function putBack(errand: Errand, brought: RowsBrought, approved: RowsPlan): Promise<RowsResult> {
  const { story, request, show } = errand;
  story.begin('compare again');
  // The copy may have been lost with its host's disk meanwhile; the backup is the one that was seen.
  const same = await bring(errand, brought);
  const plan = await preview(errand, same);
  if (plan.digest !== approved.digest) {
    show(plan);
    throw failure('PlanChanged', `The preview approved was ${approved.digest}; now it is ${plan.digest}.`);
  }
  story.begin('put rows back');
  const host = onHost(errand.host, { summary: `put rows back into ${request.component}` });
  const applied = await host.applyRows({ ...request, affectedSha256: plan.affectedSha256 });
  const { added, replaced, checks, replacedFile, warnings } = applied;
  return {
    outcome: 'restored',
    plan,
    added,
    replaced,
    checks,
    ...(replacedFile === undefined ? {} : { replacedFile }),
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

/** The backup that was asked for, or just the one that is known already. */
function bring({ asked, facts, host, request }: Errand, known?: RowsBrought): Promise<RowsBrought> {
  const { store, recoverTo, from } = known ?? asked;
  // Of several, which ones they were says all.
  const backup = from === undefined ? (known ?? asked).backup : undefined;
  const backups = known === undefined ? asked.backups : undefined;
  const plan = known === undefined ? asked.plan : undefined;
  const which = {
    ...(backup === undefined ? {} : { backup }),
    ...(from === undefined ? {} : { from }),
    ...(backups === undefined ? {} : { backups }),
    ...(plan === undefined ? {} : { plan }),
    ...(store === undefined ? {} : { store }),
    ...(recoverTo === undefined ? {} : { recoverTo }),
    ...(asked.keepCopy === true ? { keep: true } : {}),
  };
  const options = { summary: `restore ${request.component} for inspection`, silentSeconds: silenceOf(facts) };
  return whileHostAnswers(request.system, host, options, (there) => there.bringRows({ ...request, ...which }));
}

function preview({ facts, host, request }: Errand, brought: RowsBrought): Promise<RowsPlan> {
  const options = { summary: `compare rows of ${request.component}`, silentSeconds: silenceOf(facts) };
  return whileHostAnswers(request.system, host, options, (there) => there.previewRows({ ...request, brought }));
}

async function discard({ facts, host, request }: Errand, keepFiles: boolean): Promise<void> {
  const there = onHost(host, { summary: 'remove the copy', patience: 'brief', giveUpAfterSeconds: silenceOf(facts) });
  try {
    await there.discardRows({ ...request, keepFiles });
  } catch (error) {
    // It costs space only; the result of the run is worth more.
    log.warn('the copy could not be removed', { copy: request.rowsId, why: told(error).message });
  }
}

function approvalOf(asked: RowsInput, facts: SystemFacts, plan: RowsPlan, gate: Gate): Promise<Answer> {
  const lines = plan.tables.map(
    ({ table, missing, changed, conflicts }) =>
      `- \`${table}\`: ${missing} to add, ${changed} differ (${plan.onChanged}), ${conflicts.length} constraints in conflict`,
  );
  const note = [
    `Rows of \`${plan.component}\` from backup \`${plan.backup}\`, as of ${plan.pointAt}. Digest \`${plan.digest}\`.`,
    `To inspect on ${plan.host}: \`${plan.copy}\`; the keys: \`${plan.keysFile}\`.`,
    '',
    ...lines,
  ];
  return gate.askUnlessApproved(asked, plan.digest, 'approval', note.join('\n'), facts.approvalLimitSeconds);
}

function whyNothing({ tables, onChanged }: RowsPlan): string {
  const sum = (of: (table: RowsPlan['tables'][number]) => number): number =>
    tables.reduce((all, one) => all + of(one), 0);
  const conflicts = sum(({ conflicts: found }) => found.reduce((all, { rows }) => all + rows, 0));
  const changed = sum((table) => table.changed);
  const kept = onChanged === 'keep' && changed > 0 ? `; ${changed} differ and stay as they are live` : '';
  const left = conflicts > 0 ? `; ${conflicts} would break a constraint and stay out` : '';
  return `Of ${sum(({ selected }) => selected)} rows in the backup none is missing${left}${kept}.`;
}
