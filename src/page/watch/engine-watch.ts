/** What the engine tells: what runs and how far it is, what waits for a person, incidents, and what has ended. */
import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { connectEngine, type Engine } from '../../engine/connect.ts';
import { isEngineKnown } from '../../engine/ephemeral.ts';
import { unlessRefused } from '../../engine/refused.ts';
import { tell } from '../../observe/told.ts';
import { listIncidents } from '../../status/incidents.ts';
import { REFUSED_LIMIT_MS, SHOWN } from '../../status/running.ts';
import { scheduleStates, type ScheduleState } from '../../status/schedule-state.ts';
import { stepTrouble } from '../../status/step-trouble.ts';
import type { System } from '../../system/types.ts';
import { QUERIES, type ActivityProgress, type Progress } from '../../workflows/contract.ts';
import { NOTHING_KNOWN, type EndedRun, type EngineFacts, type OperationFacts } from '../facts.ts';
import { webAddress } from '../links.ts';
import { endedRuns } from './ended-runs.ts';

/** A question costs the workers a task each time. */
const MOST_OPERATIONS = 50;
const MOST_INCIDENTS = 100;
const MOST_HEALED = 30;
const ASKED_AT_ONCE = 8;
const SCHEDULES_LIMIT_MS = 10_000;
const ANSWER_LIMIT_MS = 3_000;
/** All answers of workers together, each of which may be busy or gone: what the server knows itself is told besides. */
const ANSWERS_LIMIT_MS = 8_000;
const LOOK_LIMIT_MS = 15_000;
/** What has ended changes when something ends, and is asked for anew this often besides. */
const ENDED_EVERY_MS = 60_000;

export class EngineWatch {
  private engine: Engine | undefined;
  private last: EngineFacts = NOTHING_KNOWN.engine;
  private endedAtMs = 0;
  private runningBefore = '';
  private readonly whys = new Map<string, string>();
  private readonly uiUrl: string | undefined;

  /** `uiUrl`: where people find the Temporal UI, when the engine does not say so itself. */
  constructor(uiUrl: string | undefined) {
    this.uiUrl = uiUrl;
  }

  /** Never throws: an engine that does not answer is a fact, beside what it said when it last did. */
  async look(): Promise<EngineFacts> {
    const lookedAtMs = Date.now();
    if (this.engine === undefined && !isEngineKnown()) {
      this.last = { ...this.last, running: false, why: 'no engine runs here', lookedAtMs };
      return this.last;
    }
    try {
      const engine = (this.engine ??= await connectEngine(undefined, { refusedLimitMs: REFUSED_LIMIT_MS }));
      // One that hangs keeps its connections: without a deadline it would be taken for one that works.
      const nowMs = Date.now();
      const asked = engine.client.withDeadline(nowMs + LOOK_LIMIT_MS, () => this.ask(engine, nowMs + ANSWERS_LIMIT_MS));
      const said = await unlessRefused(engine.target, REFUSED_LIMIT_MS, asked);
      this.last = { ...said, lookedAtMs, answeredAtMs: lookedAtMs };
    } catch (error) {
      this.leave();
      this.last = { ...this.last, running: false, why: tell(error).message, lookedAtMs };
    }
    return this.last;
  }

  async close(): Promise<void> {
    const { engine } = this;
    this.engine = undefined;
    await engine?.close();
  }

  /**
   * A connection that failed is closed when none of its requests can be waiting for another try any more: such a try on a
   * closed one throws where nobody catches it, and would end this process.
   */
  private leave(): void {
    const { engine } = this;
    this.engine = undefined;
    if (engine !== undefined) setTimeout(() => void engine.close().catch(() => undefined), 2 * LOOK_LIMIT_MS).unref();
  }

  private async ask(engine: Engine, untilMs: number): Promise<EngineFacts> {
    const { address, namespace, uiUrl } = engine.target;
    const shown = await runningOperations(engine);
    const operations = await mapped(shown, (run) => operationOf(engine, run, untilMs));
    const open = await listIncidents(engine, { limit: MOST_INCIDENTS, untilMs });
    const incidents = open.flatMap(({ workflowId, runId, incident }) => {
      // One that runs and can't say how it is now, because no worker has time for it, is no better than it was.
      const state = incident ?? this.last.incidents.find((one) => one.runId === runId)?.state;
      return state === undefined ? [] : [{ workflowId, runId, state }];
    });
    const past = await this.endedSince(engine, [...shown, ...open].map(({ runId }) => runId).join(' '));
    const url = webAddress(this.uiUrl ?? uiUrl ?? '');
    return {
      running: true,
      address,
      ...(url === undefined ? {} : { ui: { url, namespace } }),
      operations,
      incidents,
      ...past,
    };
  }

  private async endedSince(engine: Engine, running: string): Promise<Pick<EngineFacts, 'ended' | 'healed'>> {
    const nowMs = Date.now();
    if (running === this.runningBefore && nowMs - this.endedAtMs < ENDED_EVERY_MS)
      return { ended: this.last.ended, healed: this.last.healed };
    const ended: readonly EndedRun[] = await endedRuns(engine, this.whys, nowMs);
    const over = await listIncidents(engine, { which: 'over', limit: MOST_HEALED });
    const healed = over.filter(({ incident }) => incident !== undefined);
    // The list lags behind what ended a moment ago, so that the next look asks again.
    this.endedAtMs = running === this.runningBefore ? nowMs : 0;
    this.runningBefore = running;
    return { ended, healed };
  }

  /** Undefined when it can't be asked. */
  async schedulesOf(system: System): Promise<readonly ScheduleState[] | undefined> {
    if (this.engine === undefined) return undefined;
    const { client } = this.engine;
    try {
      return await client.withDeadline(Date.now() + SCHEDULES_LIMIT_MS, () =>
        scheduleStates(client, system, { outcomes: false }),
      );
    } catch {
      return undefined;
    }
  }
}

async function runningOperations(engine: Engine): Promise<WorkflowExecutionInfo[]> {
  const found: WorkflowExecutionInfo[] = [];
  const query = `${SHOWN} AND ExecutionStatus = 'Running'`;
  for await (const run of engine.client.workflow.list({ query, pageSize: MOST_OPERATIONS })) {
    found.push(run);
    if (found.length >= MOST_OPERATIONS) break;
  }
  return found;
}

async function operationOf(engine: Engine, run: WorkflowExecutionInfo, untilMs: number): Promise<OperationFacts> {
  const { workflowId, runId, type, startTime } = run;
  const known = { workflowId, runId, type, startedAt: startTime.toISOString(), steps: [], amounts: [] };
  const handle = engine.client.workflow.getHandle(workflowId, runId);
  const deadlineMs = Math.min(Date.now() + ANSWER_LIMIT_MS, untilMs);
  try {
    return await engine.client.withDeadline(deadlineMs, async (): Promise<OperationFacts> => {
      const { pendingActivities } = (await handle.describe()).raw;
      const trouble = stepTrouble(pendingActivities);
      const amounts = (pendingActivities ?? []).flatMap(({ heartbeatDetails }) => amountIn(heartbeatDetails?.payloads));
      const { phase, waitingFor, steps } = await handle.query<Progress>(QUERIES.progress);
      const told = { ...known, amounts, phase, steps, ...(trouble === undefined ? {} : { trouble }) };
      if (waitingFor === undefined) return told;
      const plan = await handle.query<{ readonly digest: string } | undefined>(QUERIES.plan).catch(() => undefined);
      return { ...told, waitingFor, ...(plan === undefined ? {} : { plan, digest: plan.digest }) };
    });
  } catch {
    // No worker answers, or it has just ended; that it runs is known all the same.
    return known;
  }
}

function amountIn(payloads: readonly object[] | null | undefined): ActivityProgress[] {
  const [first] = payloads ?? [];
  if (first === undefined) return [];
  const value: unknown = defaultPayloadConverter.fromPayload(first);
  return isAmount(value) ? [value] : [];
}

function isAmount(value: unknown): value is ActivityProgress {
  return typeof value === 'object' && value !== null && 'phase' in value && typeof value.phase === 'string';
}

/** In order, a few at a time. */
async function mapped<T, R>(values: readonly T[], each: (value: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < values.length; at += ASKED_AT_ONCE) {
    results.push(...(await Promise.all(values.slice(at, at + ASKED_AT_ONCE).map(each))));
  }
  return results;
}
