/**
 * Could this site take the system over now? Everything that a failover needs is looked at and judged; with `rehearse` the
 * newest backups are also restored in isolation, and measured. Nothing live is touched.
 */
import { isCancellation, workflowInfo, executeChild } from '@temporalio/workflow';
import type { SiteReadiness, SystemFacts } from '../activities/types.ts';
import {
  criticalPointMs,
  judgeReadiness,
  worst,
  type HostReadiness,
  type NewestSeen,
  type ReadinessFacts,
} from '../policy/failover/readiness.ts';
import {
  workflowIds,
  WORKFLOWS,
  type ReadinessInput,
  type ReadinessResult,
  type Rehearsed,
  type RestorePlan,
} from './contract.ts';
import type { drill } from './drill.ts';
import { REHEARSAL } from './readiness-contract.ts';
import { inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { planOf } from './plan-of-restore.ts';
import { orchestration, urgentlyOn } from './proxies.ts';
import { reportingFailure, writeDown } from './report.ts';
import { Story } from './story.ts';

const FIELDS: Fields<ReadinessInput> = {
  system: { ...NAME, required: true },
  rehearse: { type: 'boolean' },
};

const STEPS = ['which backups', 'what concerns the site', 'what each host has', 'judge'];
/** A host that is there answers its urgent queue at once. */
const HOST_LIMIT_SECONDS = 180;

export async function readiness(input: ReadinessInput): Promise<ReadinessResult> {
  const asked = parseInput<ReadinessInput>('readiness', input, FIELDS);
  const steps = [...STEPS, ...(asked.rehearse === true ? ['rehearse'] : []), 'report'];
  const story = new Story('readiness', steps);
  return inOneVoice(async () => {
    story.about(asked.system);
    return reportingFailure(asked.system, 'readiness', () => run(asked, story));
  });
}

async function run(asked: ReadinessInput, story: Story): Promise<ReadinessResult> {
  const { system } = asked;
  const facts = await orchestration.describeSystem({ system });
  story.begin('which backups');
  const plan = await planFrom(facts);

  story.begin('what concerns the site');
  const [first] = hostsOf(facts);
  const there = urgentlyOn(first ?? '', { summary: 'what concerns the site', attempts: 3 });
  const newest = plan === undefined ? {} : { newest: { store: plan.store, manifestKey: plan.manifestKey } };
  const { storesElsewhere, ...site } = await there.gatherReadiness({ system, ...newest });
  const elsewhere = await newestIn(facts, storesElsewhere);

  story.begin('what each host has');
  const hosts = await lookEverywhere(facts, plan);

  story.begin('judge');
  const all: ReadinessFacts = {
    ...site,
    nowMs: Date.now(),
    hosts,
    ...(plan === undefined ? {} : { newest: seenOf(plan) }),
    ...(elsewhere === undefined ? {} : { newestElsewhere: elsewhere }),
  };
  const judged = judgeReadiness(all);
  const rehearsal = asked.rehearse === true ? await rehearse(asked, site, story) : undefined;

  story.begin('report');
  const passed = rehearsal === undefined || rehearsal.outcome === 'passed';
  const result: ReadinessResult = {
    ok: judged.verdict !== 'not-ready' && passed,
    site: facts.site,
    verdict: worst([judged.verdict, passed ? 'ok' : 'not-ready']),
    checks: judged.checks,
    ...(rehearsal === undefined ? {} : { rehearsal }),
  };
  await writeDown({ system, kind: 'readiness', id: workflowInfo().runId, report: { ...result } });
  story.finish();
  return result;
}

/** As a failover would plan it, from these stores; undefined when there is nothing to restore. */
async function planFrom(facts: SystemFacts, store?: string): Promise<RestorePlan | undefined> {
  const { system } = facts;
  try {
    return await planOf(facts, { system, whole: true, mode: 'plan', ...(store === undefined ? {} : { store }) });
  } catch (error) {
    // A store that does not answer, or a host: told by who looks at them.
    if (isCancellation(error)) throw error;
    return undefined;
  }
}

async function newestIn(facts: SystemFacts, stores: readonly string[]): Promise<NewestSeen | undefined> {
  let newest: NewestSeen | undefined;
  for (const store of stores) {
    const plan = await planFrom(facts, store);
    if (plan === undefined) continue;
    const seen = seenOf(plan);
    if (newest === undefined || seen.pointAtMs > newest.pointAtMs) newest = seen;
  }
  return newest;
}

function seenOf(plan: RestorePlan): NewestSeen {
  const { backup, store, pointAt } = plan;
  return { backup, store, pointAtMs: criticalPointMs(plan.whole?.parts ?? []) ?? Date.parse(pointAt) };
}

async function lookEverywhere(facts: SystemFacts, plan: RestorePlan | undefined): Promise<HostReadiness[]> {
  const found: HostReadiness[] = [];
  for (const host of hostsOf(facts)) {
    const options = { summary: `what ${host} has`, attempts: 2, giveUpAfterSeconds: HOST_LIMIT_SECONDS };
    const parts = (plan?.components ?? []).flatMap(({ name, sizeBytes, host: of }) => {
      const part = plan?.whole?.parts.find((one) => one.name === name);
      if (of !== host || part === undefined) return [];
      return [{ name, sizeBytes, store: part.store, manifestKey: part.manifestKey }];
    });
    try {
      found.push(await urgentlyOn(host, options).lookReadiness({ system: facts.system, parts }));
    } catch (error) {
      if (isCancellation(error)) throw error;
      const nothing = { lacking: [], room: [], imagesMissing: [], unseen: [], startByThemselves: [] };
      found.push({ host, silent: told(error).message, ...nothing });
    }
  }
  return found;
}

/** Everything but the fence and the names. */
async function rehearse(
  { system }: ReadinessInput,
  site: Omit<SiteReadiness, 'storesElsewhere'>,
  story: Story,
): Promise<Rehearsed> {
  story.begin('rehearse');
  try {
    const { outcome, why, report, reportKey } = await executeChild<typeof drill>(WORKFLOWS.drill, {
      workflowId: workflowIds.drill(system, 'rehearsal'),
      args: [{ system, by: REHEARSAL }],
      staticSummary: `${system}: rehearsal of a failover`,
    });
    const { fenceWaitSeconds: fence } = site;
    const restore = report?.rtoSeconds;
    return {
      outcome,
      ...(why === undefined ? {} : { why }),
      ...(restore === undefined ? {} : { restoreSeconds: restore }),
      ...(fence === undefined ? {} : { fenceSeconds: fence }),
      ...(restore === undefined ? {} : { wouldTakeSeconds: restore + (fence ?? 0) }),
      ...(reportKey === undefined ? {} : { reportKey }),
    };
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { outcome: 'broken', why: told(error).message };
  }
}

function hostsOf({ components }: SystemFacts): string[] {
  return [...new Set(components.map(({ host }) => host))];
}
