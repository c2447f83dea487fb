/**
 * The active site stops for another one that has asked for the system: it stops its stack, makes and proves a last backup of
 * all of it, and answers. From its answer on it may start again only under a generation that it raises itself, of which
 * exactly one of both gets it, so that nothing is lost and never both run, whoever dies when. docs/decisions/failover.md
 */
import { CancellationScope, isCancellation, sleep, TemporalFailure, workflowInfo } from '@temporalio/workflow';
import type { HandoverSetup, HandoverTold } from '../activities/handover-types.ts';
import { askedSiteNext, type AskedSite } from '../policy/failover/handover.ts';
import { workflowIds, type HandoverInput, type HandoverResult } from './contract.ts';
import { inOneVoice, told } from './failure.ts';
import { askBack } from './handover-back.ts';
import { lastBackups, type LastBackups } from './handover-backup.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { withSystemLock } from './lock.ts';
import { orchestration, urgentlyOn } from './proxies.ts';
import { reportingFailure, writeDown } from './report.ts';
import { Story } from './story.ts';

const FIELDS: Fields<HandoverInput> = {
  system: { ...NAME, required: true },
  n: { type: 'number', required: true },
  attempt: { type: 'number', required: true },
};

const STEPS = ['look', 'stop', 'last backup', 'prove it', 'see that nothing runs', 'answer', 'wait for the other site'];

const ATTEMPTS = 8;
/** What runs now is waited for, within the patience of who asks. */
const LOCK_WAIT_SECONDS = 10 * 60;
const WAIT_PART_SECONDS = 20 * 60;
const AGAIN_SECONDS = 15;

interface Errand extends HandoverInput {
  readonly setup: HandoverSetup;
  readonly story: Story;
}

/** See HandoverResult: that it was refused, or starts again here, is an answer; a failure is that it could not be started again. */
export async function handover(input: HandoverInput): Promise<HandoverResult> {
  const asked = parseInput<HandoverInput>('handover', input, FIELDS);
  const { system } = asked;
  const story = new Story('handover', STEPS);
  return inOneVoice(async () => {
    story.about(system);
    const setup = await orchestration.describeHandover({ system });
    return reportingFailure(system, 'handover', async () => {
      const errand = { ...asked, setup, story };
      const result = await run(errand);
      if (result.outcome !== 'over') {
        await writeDown({ system, kind: 'handover', id: workflowInfo().runId, report: { ...result } });
      }
      if (result.outcome === 'handed-over') {
        await askBack({ ...asked, story, host: setup.hosts[0] ?? '', request: (await look(errand)).request });
      }
      story.finish();
      return result;
    });
  });
}

async function run(errand: Errand): Promise<HandoverResult> {
  const { story } = errand;
  story.begin('look');
  const seen = await look(errand);
  const to = seen.request?.site ?? seen.generation.site;
  const first = askedSiteNext(seen, own(errand, { stopped: false }));
  if (first.kind === 'handed over') return { outcome: 'over', why: `generation ${seen.generation.n} is at ${to}`, to };
  // What an earlier run has stopped: of an engine that was lost, or given back since.
  if (first.kind !== 'stop') {
    return CancellationScope.nonCancellable(() => settle(errand, { to, downSinceMs: undefined }));
  }
  const refusal =
    seen.request?.stale === true ? `${to} has asked long ago, and waits for no answer any more` : undefined;

  const stopped = refusal === undefined ? await stopAndBackUp(errand) : { failed: refusal, downSinceMs: undefined };

  story.begin('answer');
  return CancellationScope.nonCancellable(async () => {
    const { system, n, attempt, setup } = errand;
    const about = { system, n, attempt };
    const answering = there(errand, 'answer');
    if ('failed' in stopped) {
      const { outcome } = await answering.answerHandover({ ...about, outcome: 'refused', why: stopped.failed });
      const settled = await settle(errand, { to, downSinceMs: stopped.downSinceMs });
      return outcome === 'refused' ? { ...settled, outcome, why: stopped.failed } : settled;
    }
    const { backups, downSinceMs } = stopped;
    await answering.answerHandover({
      ...{ ...about, outcome: 'stopped', backups },
      ...{ downSeconds: secondsSince(downSinceMs), waitsSeconds: setup.raiseSeconds },
    });
    return { ...(await settle(errand, { to, downSinceMs })), backups };
  });
}

type Stopped =
  | { readonly failed: string; readonly downSinceMs: number | undefined }
  | { readonly backups: LastBackups; readonly downSinceMs: number };

/** Never throws: whatever goes wrong is a reason to refuse, and to start again. */
async function stopAndBackUp(errand: Errand): Promise<Stopped> {
  const { system, setup, story, n, attempt } = errand;
  let downSinceMs: number | undefined;
  try {
    story.begin('stop');
    // Not beside a capture: it starts again what it has stopped.
    const lock = { system, site: setup.site, operation: 'handover', waitSeconds: LOCK_WAIT_SECONDS } as const;
    await withSystemLock(story, lock, async () => {
      downSinceMs = Date.now();
      await stopAll(errand, 'stay');
    });

    story.begin('last backup');
    const backups = await lastBackups({ system, n, attempt, host: setup.hosts[0] ?? '', plans: setup.plans }, story);
    if ('withdrawn' in backups) return { failed: backups.withdrawn, downSinceMs };

    story.begin('see that nothing runs');
    await stopAll(errand, 'stop');
    const running: string[] = [];
    for (const host of setup.hosts) running.push(...(await urgentlyOn(host, NOTHING_RUNS).runningHere({ system })));
    if (running.length > 0) return { failed: `it would not stay stopped: ${running.join(', ')}`, downSinceMs };
    return { backups: backups.made, downSinceMs: downSinceMs ?? Date.now() };
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    return { failed: isCancellation(error) ? 'it was cancelled here' : told(error).message, downSinceMs };
  }
}

const NOTHING_RUNS = { summary: 'does anything of it run?', attempts: ATTEMPTS };

async function stopAll({ system, n, attempt, setup }: Errand, databases: 'stay' | 'stop'): Promise<void> {
  for (const host of setup.hosts) {
    const stopping = urgentlyOn(host, { summary: `stop the stack on ${host}`, attempts: ATTEMPTS });
    await stopping.stopForHandover({ system, n, attempt, databases });
  }
}

/** Until it is known which site goes on: this one starts again only under what the rules let it. */
async function settle(
  errand: Errand,
  { to, downSinceMs }: { readonly to: string; readonly downSinceMs: number | undefined },
): Promise<HandoverResult> {
  const { story, system, n, attempt, setup } = errand;
  story.begin('wait for the other site');
  const untilMs = Date.now() + setup.raiseSeconds * 1000;
  for (;;) {
    const leftSeconds = Math.max(0, Math.ceil((untilMs - Date.now()) / 1000));
    const seen = await there(errand, `until ${to} takes over`).awaitHandover({
      ...{ system, n, attempt, whileIt: 'stopped', forSeconds: Math.min(leftSeconds, WAIT_PART_SECONDS) },
    });
    const next = askedSiteNext(seen, own(errand, { stopped: true, waitedOut: Date.now() >= untilMs }));
    switch (next.kind) {
      case 'handed over':
        await release(errand);
        return { outcome: 'handed-over', to, ...down(downSinceMs) };
      case 'raise for itself':
      case 'clear': {
        const why = `${to} did not take over within ${setup.raiseSeconds} s`;
        const raiseId = `${workflowIds.handover(system)}/${workflowInfo().runId}`.slice(-190);
        await there(errand, 'take the generation back').raiseOwn({
          system,
          n,
          attempt,
          site: setup.site,
          raiseId,
          why,
        });
        break;
      }
      case 'start again':
        if (await startAgain(errand)) {
          return { outcome: 'started-again', why: whyAgain(seen, n, to), to, ...down(downSinceMs) };
        }
        break;
      case 'stop':
      case 'back up':
      case 'answer stopped':
      case 'refuse':
      case 'wait':
        await sleep(AGAIN_SECONDS * 1000);
    }
  }
}

async function startAgain(errand: Errand): Promise<boolean> {
  const { system, setup, story } = errand;
  story.begin('start again');
  try {
    for (const host of setup.hosts) {
      const starting = urgentlyOn(host, { summary: `start the stack on ${host} again`, attempts: ATTEMPTS });
      await starting.startAfterHandover({ system });
    }
    return true;
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    story.needsOperator(true);
    story.waitFor('the stack to start', `it does not start again: ${told(error).message}`);
    await sleep(AGAIN_SECONDS * 1000);
    story.waitIsOver();
    return false;
  }
}

async function release({ system, setup }: Errand): Promise<void> {
  for (const host of setup.hosts) await urgentlyOn(host, { summary: `let ${host} go` }).endHandover({ system });
}

function whyAgain({ generation, answer }: HandoverTold, n: number, to: string): string {
  if (generation.n >= n) return `generation ${generation.n} is this site's: ${to} has not taken over`;
  return answer?.why ?? `it was ${answer?.outcome ?? 'not answered'}`;
}

function own(
  { n, attempt, setup }: Errand,
  state: { readonly stopped: boolean; readonly waitedOut?: boolean },
): AskedSite {
  return {
    site: setup.site,
    n,
    attempt,
    proved: state.stopped,
    waitedOut: state.waitedOut === true,
    stopped: state.stopped,
  };
}

function look(errand: Errand): Promise<HandoverTold> {
  return there(errand, 'who asks for the system').lookHandover({ system: errand.system, n: errand.n });
}

function there({ setup }: Errand, summary: string) {
  return urgentlyOn(setup.hosts[0] ?? '', { summary });
}

function secondsSince(ms: number): number {
  return Math.max(0, Math.round((Date.now() - ms) / 1000));
}

function down(sinceMs: number | undefined): { downSeconds?: number } {
  return sinceMs === undefined ? {} : { downSeconds: secondsSince(sinceMs) };
}
