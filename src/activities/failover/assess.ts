/** Looks from every vantage point of a system whether the active site answers. Changes nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { HoldfastError } from '../../failures.ts';
import { redactText } from '../../observe/redact.ts';
import type { VantageReport } from '../../policy/failover/assess.ts';
import { failoverOf } from '../../sites/authority.ts';
import { bootClockMs } from '../../sites/boot-clock.ts';
import { tail } from '../../sources/checks/report.ts';
import type { VantageConfig, VantageProbe } from '../../system/failover-types.ts';
import type { System } from '../../system/types.ts';
import type { FailoverActivities } from '../failover-types.ts';
import type { HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';
import { runCommand } from '../validation/command.ts';
import { askPage } from '../validation/http.ts';
import { handOn } from './hand-on.ts';

/** A place that is blind half the time has to look twice as often; after that it says what it saw. */
const LOOKS_AT_MOST = 2;
/** A busy machine may be late by so much and still count as having looked over the whole time. */
const LONGEST_PAUSE_MS = 60_000;

type Saw = VantageReport['saw'];

interface Tally {
  readonly saw: Saw;
  /** That count: those of a blind place do not. */
  readonly looks: number;
  readonly begun: number;
  /** Of the first and the last that count, by the boot clock. */
  readonly firstMs: number;
  readonly lastMs: number;
  readonly detail: string;
}

const tallySchema = z.record(
  z.string(),
  z.object({
    saw: z.enum(['answers', 'silent', 'blind']),
    looks: z.number(),
    begun: z.number(),
    firstMs: z.number(),
    lastMs: z.number(),
    detail: z.string(),
  }),
);

const NOTHING: Tally = { saw: 'blind', looks: 0, begun: 0, firstMs: 0, lastMs: 0, detail: 'it has not looked' };

/** The first answer that any of them gets ends it: one that is answered outweighs all others. */
export async function assessSite(
  context: HostContext,
  { system: name, looks, overMs }: Parameters<FailoverActivities['assessSite']>[0],
  run: Run,
): Promise<VantageReport[]> {
  const system = await context.system(name);
  const vantages = failoverOf(system).assess.from;
  const kept = handOn(run, tallySchema);
  const tallies = new Map<string, Tally>(Object.entries(kept.found ?? {}));
  const answered = new AbortController();
  const signal = AbortSignal.any([run.signal, answered.signal]);
  const one = async (vantage: VantageConfig): Promise<void> => {
    const pauseMs = Math.min(LONGEST_PAUSE_MS, overMs / Math.max(1, looks - 1));
    for (;;) {
      const before = tallies.get(vantage.name) ?? NOTHING;
      if (isEnough(before, { looks, overMs })) return;
      if (before.begun > 0) await sleep(pauseMs, undefined, { signal });
      const tally = counted(before, await look(context, system, vantage, signal), bootClockMs());
      tallies.set(vantage.name, tally);
      kept.keep(Object.fromEntries(tallies));
      run.report({ phase: `${vantage.name}: look ${tally.begun}, ${tally.saw}` });
      if (tally.saw === 'answers') answered.abort();
    }
  };
  await Promise.all(
    vantages.map((vantage) =>
      one(vantage).catch((error: unknown) => {
        run.signal.throwIfAborted();
        if (!answered.signal.aborted) throw error;
      }),
    ),
  );
  return vantages.map(({ name: vantage, place }) => {
    const { saw, looks: made, firstMs, lastMs, detail } = tallies.get(vantage) ?? NOTHING;
    return { vantage, place, saw, looks: made, overMs: Math.round(lastMs - firstMs), detail };
  });
}

/** One look from each place, now. */
export function lookFromAll(context: HostContext, system: System, signal: AbortSignal): Promise<VantageReport[]> {
  return Promise.all(
    failoverOf(system).assess.from.map(async (vantage) => {
      const seen = await look(context, system, vantage, signal);
      return { vantage: vantage.name, place: vantage.place, ...seen, looks: 1, overMs: 0 };
    }),
  );
}

function isEnough({ saw, looks, begun, firstMs, lastMs }: Tally, rule: { looks: number; overMs: number }): boolean {
  if (saw === 'answers') return true;
  if (begun >= LOOKS_AT_MOST * (rule.looks + 1)) return true;
  return looks >= rule.looks && lastMs - firstMs >= rule.overMs;
}

function counted(before: Tally, { saw, detail }: { saw: Saw; detail: string }, nowMs: number): Tally {
  const begun = before.begun + 1;
  if (saw === 'blind') return { ...before, begun, detail: before.looks === 0 ? detail : before.detail };
  return {
    saw,
    begun,
    looks: before.looks + 1,
    firstMs: before.looks === 0 ? nowMs : before.firstMs,
    lastMs: nowMs,
    detail,
  };
}

async function look(
  context: HostContext,
  system: System,
  { probe, reference }: VantageConfig,
  signal: AbortSignal,
): Promise<{ saw: Saw; detail: string }> {
  const seen = await ask(context, system, probe, signal);
  if (seen.saw !== 'silent' || reference === undefined) return seen;
  const known = await ask(context, system, reference, signal);
  if (known.saw === 'answers') return seen;
  return { saw: 'blind', detail: `what always answers does not, either (${known.detail})` };
}

async function ask(
  context: HostContext,
  system: System,
  probe: VantageProbe,
  signal: AbortSignal,
): Promise<{ saw: Saw; detail: string }> {
  const limitMs = failoverOf(system).assess.answerWithinSeconds * 1000;
  if (probe.kind === 'http') {
    const { ok, detail } = await askPage(probe, probe.url, signal, limitMs);
    return { saw: ok ? 'answers' : 'silent', detail: redactText(detail) };
  }
  try {
    const { exitCode, timedOut, output } = await runCommand(context, { system, probe, limitMs }, signal);
    const said = tail(output, 200);
    const end = timedOut ? 'not finished in time' : exitCode === undefined ? 'killed' : `exit ${exitCode}`;
    const detail = redactText(said === '' ? end : `${end}: ${said}`);
    return { saw: exitCode === 0 ? 'answers' : exitCode === 1 ? 'silent' : 'blind', detail };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HoldfastError)) throw error;
    return { saw: 'blind', detail: error.message };
  }
}
