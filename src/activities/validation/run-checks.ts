/** Asks what the system file wants of a running system, and says what it found; see ValidationActivities. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../../failures.ts';
import { redactText } from '../../observe/redact.ts';
import {
  DIFFERENCES_KEPT,
  differenceOf,
  differencesIn,
  judgeValue,
  withoutDifferences,
  type Difference,
  type Held,
} from '../../policy/check-values.ts';
import { tail } from '../../sources/checks/report.ts';
import { keepDifferences } from '../../status/differences.ts';
import type { CommandProbe, HttpProbe, Reconciliation, SqlProbe, System, SystemCheck } from '../../system/types.ts';
import { componentOf, type HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';
import type { CheckOutcome, CheckPlace, ReconcileOutcome, ValidationActivities } from '../validation-types.ts';
import { containerOf, runCommand, type Ended } from './command.ts';
import { askPage, movedUrl, urlInContainer } from './http.ts';
import { inCopy, nothingStandsFor } from './isolated.ts';
import { ask } from './sql.ts';

type Input<A extends keyof ValidationActivities> = Parameters<ValidationActivities[A]>[0];

/** What is asked, of which system, where. */
interface Around {
  readonly context: HostContext;
  readonly system: System;
  readonly place: CheckPlace | undefined;
  readonly signal: AbortSignal;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4000;
/** A try that is begun may take so long: a busy machine is no verdict. */
const LEAST_TRY_MS = 20_000;
/** A program that tells of differences ends with 0, or with 1 as `diff` does. */
const COMPARED: readonly (number | undefined)[] = [0, 1];

export async function runChecks(
  context: HostContext,
  { system: name, host, place }: Input<'runChecks'>,
  run: Run,
): Promise<CheckOutcome[]> {
  const system = await context.system(name);
  const around = { context, system, place, signal: run.signal };
  const mine = system.checks.filter((check) => check.host === host);
  let done = 0;
  run.report({ phase: `checks: 0 of ${mine.length}` });
  return Promise.all(
    mine.map(async (check) => {
      const outcome = await checkOne(around, check);
      done += 1;
      run.report({ phase: `checks: ${done} of ${mine.length}` });
      return outcome;
    }),
  );
}

async function checkOne(around: Around, check: SystemCheck): Promise<CheckOutcome> {
  const began = performance.now();
  const absent = nothingStandsFor(around.place, check.probe);
  const held = absent === undefined ? await verdictOf(around, check) : { ok: false, detail: absent };
  return {
    name: check.name,
    kind: check.probe.kind,
    ok: held.ok,
    ...(absent === undefined ? {} : { skipped: true as const }),
    severity: check.severity,
    detail: redactText(held.detail),
    tookMs: Math.round(performance.now() - began),
  };
}

/** Until it holds or its time is over; a command once. */
async function verdictOf(around: Around, check: SystemCheck): Promise<Held> {
  const { probe, withinSeconds } = check;
  if (probe.kind === 'command') return judgeEnd(await ended(around, probe, withinSeconds * 1000), withinSeconds);
  const until = performance.now() + withinSeconds * 1000;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    const held = await tryOnce(around, probe, Math.max(LEAST_TRY_MS, until - performance.now()));
    if (held.ok || held.final === true) return held;
    if (performance.now() + pauseMs > until) {
      return { ok: false, detail: `${held.detail} (asked for ${withinSeconds} s)` };
    }
    await sleep(pauseMs, undefined, { signal: around.signal });
  }
}

async function tryOnce(
  around: Around,
  probe: Exclude<SystemCheck['probe'], CommandProbe>,
  limitMs: number,
): Promise<Held & { readonly final?: true }> {
  const { signal } = around;
  if (probe.kind === 'http') {
    try {
      return await askPage(probe, await urlOf(around, probe), signal);
    } catch (error) {
      signal.throwIfAborted();
      return { ok: false, detail: wordsOf(error) };
    }
  }
  try {
    const { rows, count } = await answerTo(around, probe, { limitMs });
    return judgeValue(probe, count > rows.length ? [...rows, []] : rows);
  } catch (error) {
    signal.throwIfAborted();
    return { ok: false, detail: wordsOf(error), ...(mayPass(error) ? {} : { final: true }) };
  }
}

/** A wrong query is wrong the next time, too; a container may be on its way up. */
function mayPass(error: unknown): boolean {
  return !(error instanceof HoldfastError) || error.waitingHelps || error.code === 'ContainerMissing';
}

async function urlOf({ context, system, place }: Around, { url, service }: HttpProbe): Promise<string> {
  if (service !== undefined) {
    return urlInContainer(context.docker(), await containerOf(context, { system, place, service }), url);
  }
  return place === undefined ? url : inCopy(movedUrl(url, place.origins ?? {}), url);
}

async function answerTo(
  around: Around,
  probe: Pick<SqlProbe, 'component' | 'query' | 'database'>,
  limits: { readonly limitMs: number; readonly most?: number },
) {
  const { context, system, place, signal } = around;
  const component = componentOf(system, probe.component);
  const there = place === undefined ? {} : { place: inCopy(place.components?.[component.name], component.name) };
  return ask(context, { component, probe, ...limits, ...there }, signal);
}

type CommandEnd = Ended | { readonly notRun: string };

async function ended(around: Around, probe: CommandProbe, limitMs: number): Promise<CommandEnd> {
  const { context, system, place, signal } = around;
  try {
    return await runCommand(context, { system, probe, limitMs, ...(place === undefined ? {} : { place }) }, signal);
  } catch (error) {
    signal.throwIfAborted();
    return { notRun: wordsOf(error) };
  }
}

function judgeEnd(end: CommandEnd, withinSeconds: number): Held {
  if ('notRun' in end) return { ok: false, detail: end.notRun };
  const said = tail(end.output, 200);
  if (end.timedOut)
    return { ok: false, detail: `not finished after ${withinSeconds} s${said === '' ? '' : `: ${said}`}` };
  const exit = end.exitCode === undefined ? 'killed' : `exit ${end.exitCode}`;
  return { ok: end.exitCode === 0, detail: `${exit}${said === '' ? '' : `: ${said}`}` };
}

export async function runReconcile(
  context: HostContext,
  { system: name, host, place }: Input<'runReconcile'>,
  run: Run,
): Promise<ReconcileOutcome[]> {
  const system = await context.system(name);
  const around = { context, system, place, signal: run.signal };
  const outcomes: ReconcileOutcome[] = [];
  for (const entry of system.reconcile.filter((one) => one.host === host)) {
    run.report({ phase: `reconcile: ${entry.name}` });
    const began = performance.now();
    const { differences = [], ...compared } = await reconcileOne(around, entry);
    const tookMs = Math.round(performance.now() - began);
    const kept = differences.length === 0 ? {} : await keep({ system: name, host, name: entry.name }, differences, run);
    outcomes.push({ name: entry.name, ...compared, ...kept, tookMs });
  }
  return outcomes;
}

/** The verdict counts more than the list: without room for it the difference is told all the same. */
async function keep(
  of: { readonly system: string; readonly host: string; readonly name: string },
  differences: readonly Difference[],
  run: Run,
): Promise<Pick<ReconcileOutcome, 'kept'>> {
  try {
    const runId = run.asker?.execution.runId ?? randomUUID();
    return { kept: await keepDifferences({ ...of, runId }, differences) };
  } catch (error) {
    run.signal.throwIfAborted();
    run.log.warn({ err: error, reconcile: of.name }, 'the differences could not be written down');
    return {};
  }
}

type Compared = Pick<ReconcileOutcome, 'outcome' | 'detail' | 'differenceCount'> & {
  readonly differences?: readonly Difference[];
};

async function reconcileOne(around: Around, { probe, withinSeconds }: Reconciliation): Promise<Compared> {
  const unknown = (outcome: 'failed' | 'skipped', detail: string): Compared => ({
    outcome,
    detail: redactText(detail),
    differenceCount: 0,
  });
  const absent = nothingStandsFor(around.place, probe);
  if (absent !== undefined) return unknown('skipped', absent);
  if (probe.kind === 'sql') {
    try {
      const { rows, count } = await answerTo(around, probe, {
        limitMs: withinSeconds * 1000,
        most: DIFFERENCES_KEPT,
      });
      return comparedAs(rows.map(differenceOf), count);
    } catch (error) {
      around.signal.throwIfAborted();
      return unknown('failed', wordsOf(error));
    }
  }
  const end = await ended(around, probe, withinSeconds * 1000);
  const found = 'notRun' in end ? [] : differencesIn(end.output);
  // One that ends with 1 and names no difference has failed at something else.
  const compared = !('notRun' in end) && !end.timedOut && COMPARED.includes(end.exitCode);
  if (!compared || (end.exitCode === 1 && found.length === 0)) {
    const talk = 'notRun' in end ? end : { ...end, output: withoutDifferences(end.output) };
    return unknown('failed', judgeEnd(talk, withinSeconds).detail);
  }
  return comparedAs(found, found.length);
}

function comparedAs(found: readonly Difference[], count: number): Compared {
  const differences = found.slice(0, DIFFERENCES_KEPT).map((difference) => ({
    name: redactText(difference.name),
    expected: redactText(difference.expected),
    found: redactText(difference.found),
  }));
  const outcome = count === 0 ? 'same' : 'differs';
  const detail = count === 0 ? 'no difference' : `${count} ${count === 1 ? 'difference' : 'differences'}`;
  return { outcome, detail, differences, differenceCount: count };
}

/** A message of the catalogue's own is short and without secrets; of anything else only its first line. */
function wordsOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof HoldfastError ? tail(message, 300) : (message.split('\n')[0] ?? '').slice(0, 300);
}
