/** What a restore of a whole system does beyond that of its parts: it refuses in time, validates, and is measured. */
import { workflowInfo } from '@temporalio/workflow';
import type { CheckOutcome, ReconcileOutcome, SystemFacts } from '../activities/types.ts';
import { judgeRto } from '../policy/rto.ts';
import type { RestoreInput, RestorePlan, WholeResult } from './contract.ts';
import { failure, told } from './failure.ts';
import { onHost } from './proxies.ts';
import { passedOverTexts } from '../policy/fall-back.ts';
import type { Left } from './restore-beside.ts';
import type { Story } from './story.ts';
import type { ThawOrder } from './thaw.ts';

/** In which nothing is done to bring the system back. */
const WAITING: readonly string[] = ['approval', 'wait for the system'];

/** Throws BadInput for what a whole system has not. */
export function refuseHalves(asked: RestoreInput): void {
  if (asked.whole === true) return;
  if (asked.prepare === true) throw failure('BadInput', 'restore: "prepare" belongs to "whole".');
  if (asked.together === true) throw failure('BadInput', 'restore: "together" belongs to "whole".');
  if (asked.fallBacks !== undefined) throw failure('BadInput', 'restore: "fallBacks" belongs to "whole".');
}

/** Throws BackupMissing while nothing has been done: a system without its critical data is none. */
export function refuseWithoutNeeded({ whole }: RestorePlan): void {
  const needed = whole?.missing.filter((one) => one.needed) ?? [];
  if (needed.length === 0) return;
  const words = needed.map(({ name, why }) => `${name}: ${why}`).join('; ');
  throw failure('BackupMissing', `What the system can not be without has no backup to restore: ${words}.`, { needed });
}

/** Throws CheckFailed, with nothing stopped yet, when none of the parts could be brought. */
export function refuseEmptyHanded(besides: readonly unknown[], left: readonly Left[]): void {
  if (besides.length > 0) return;
  const words = left.map(({ name, why }) => `${name}: ${why}`).join('; ');
  throw failure('CheckFailed', `None of the parts could be restored, and nothing was touched: ${words}.`);
}

/** What a person reads of it before approving, one line for each part. */
export function partLines({ whole }: RestorePlan): string[] {
  const parts = (whole?.parts ?? []).map(({ name, backup, store, pointAt, recoverTo }) => {
    const log = recoverTo === undefined ? '' : `, then its log (${recoverTo})`;
    return `- \`${name}\` of ${pointAt ?? 'a moment that the server finds out'}: backup \`${backup}\` in ${store}${log}`;
  });
  const missing = (whole?.missing ?? []).map(({ name, why }) => `- \`${name}\` stays as it is: ${why}`);
  const passed = passedOverTexts(whole?.passedOver ?? []).map((text) => `- ${text}`);
  const lost = (whole?.parts ?? []).flatMap(({ name, moreLostSeconds }) =>
    moreLostSeconds === undefined ? [] : [`- \`${name}\` loses ${moreLostSeconds} s more for it`],
  );
  return [...parts, ...missing, ...passed, ...lost];
}

/** What has to be thawed, backup by backup. */
export function thawsOf(order: Omit<ThawOrder, 'frozen'>): ThawOrder[] {
  const { plan } = order;
  if (plan.frozen === undefined) return [];
  if (plan.whole === undefined) return [{ ...order, frozen: plan.frozen }];
  return plan.whole.frozen.map(({ backup, manifestKey, store, components: names, facts }) => {
    const components = plan.components.filter(({ name }) => names.includes(name));
    return { ...order, plan: { ...plan, backup, manifestKey, store, components }, frozen: facts };
  });
}

/** What the system's own checks and its reconciliation say once it is open again, and when that was. */
export class Validation {
  private readonly facts: SystemFacts;
  private readonly plan: RestorePlan;
  private readonly story: Story;
  private checks: CheckOutcome[] = [];
  private reconciled: ReconcileOutcome[] = [];
  private throughAfterMs: number | undefined;

  constructor(facts: SystemFacts, plan: RestorePlan, story: Story) {
    this.facts = facts;
    this.plan = plan;
    this.story = story;
  }

  /** Never throws but for cancellation of what it waits for; a check that could not be asked does not hold. */
  async run(): Promise<{ wrong?: string }> {
    this.story.begin('validate');
    this.checks = await askEach(this.facts.checks ?? [], (host) =>
      onHost(host, { summary: 'checks of the running system', patience: 'brief' }).runChecks({
        system: this.facts.system,
        host,
      }),
    ).then(({ answers, silent }) => [...answers, ...silent.map(unaskedCheck)]);
    const bad = this.checks.filter(({ ok, severity }) => !ok && severity === 'fatal');
    if (bad.length === 0) this.throughAfterMs = Date.now() - workflowInfo().startTime.getTime();

    this.story.begin('reconcile');
    this.reconciled = await askEach(this.facts.reconcile ?? [], (host) =>
      onHost(host, { summary: 'compare with the outside truth', patience: 'brief' }).runReconcile({
        system: this.facts.system,
        host,
      }),
    ).then(({ answers, silent }) => [...answers, ...silent.map(unaskedReconciliation)]);
    // Nothing is undone for it: a person has to say which of the two is right.
    if (this.reconciled.some(({ outcome }) => outcome !== 'same')) this.story.needsOperator(true);
    const words = bad.map(({ name, detail }) => `${name}: ${detail}`).join('; ');
    return bad.length === 0 ? {} : { wrong: `its checks do not hold: ${words}` };
  }

  /** What does not hold and what differs, for those who only read the message that the restore has ended. */
  warnings(): string[] {
    return [
      ...this.checks.filter(({ ok }) => !ok).map(({ name, detail }) => `check ${name}: ${detail}`),
      ...this.reconciled
        .filter(({ outcome }) => outcome !== 'same')
        .map(
          ({ name, outcome, detail }) => `reconcile ${name}: ${outcome === 'differs' ? '' : `${outcome}, `}${detail}`,
        ),
    ];
  }

  /** `isBack`: the restored system is the one that runs. */
  result(left: readonly Left[], isBack: boolean): WholeResult {
    const phases = this.story.phases();
    const { throughAfterMs } = this;
    const waitedMs = phases.filter(({ name }) => WAITING.includes(name)).reduce((sum, { ms }) => sum + ms, 0);
    const seconds = Math.ceil((throughAfterMs ?? 0) / 1000);
    const parts = (this.plan.whole?.parts ?? []).filter(({ name }) => !left.some((one) => one.name === name));
    const objectives = this.facts.objectives ?? { tiers: {}, components: {} };
    return {
      left,
      checks: this.checks,
      reconcile: this.reconciled,
      ...(isBack && throughAfterMs !== undefined
        ? {
            rto: {
              seconds,
              waitedSeconds: Math.round(waitedMs / 1000),
              objectives: judgeRto(seconds, objectives, parts),
            },
          }
        : {}),
      phases,
    };
  }
}

type Asked = readonly { readonly name: string; readonly host: string }[];

/** Every host once. What a host that does not answer was to be asked comes back by its name. */
async function askEach<T>(
  asked: Asked,
  ask: (host: string) => Promise<readonly T[]>,
): Promise<{ answers: T[]; silent: { name: string; why: string }[] }> {
  const answers: T[] = [];
  const silent: { name: string; why: string }[] = [];
  for (const host of new Set(asked.map((one) => one.host))) {
    try {
      answers.push(...(await ask(host)));
    } catch (error) {
      const why = told(error).message;
      silent.push(...asked.filter((one) => one.host === host).map(({ name }) => ({ name, why })));
    }
  }
  return { answers, silent };
}

function unaskedCheck({ name, why }: { name: string; why: string }): CheckOutcome {
  return { name, kind: 'command', ok: false, severity: 'fatal', detail: `it could not be asked: ${why}`, tookMs: 0 };
}

function unaskedReconciliation({ name, why }: { name: string; why: string }): ReconcileOutcome {
  return { name, outcome: 'failed', detail: why, differenceCount: 0, tookMs: 0 };
}
