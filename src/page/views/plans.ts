/** Plans against what they promise. */
import { capital } from '../../observe/format.ts';
import { findingId, isUnknown } from '../../policy/findings.ts';
import { firstDueText } from '../../status/findings-text.ts';
import type { ScheduleState } from '../../status/schedule-state.ts';
import type { SystemNumbers } from '../../status/numbers.ts';
import { bar } from '../draw/bar.ts';
import type { SystemFacts } from '../facts.ts';
import { html, joined, type Html, type Shown } from '../html.ts';
import { ROUTES } from '../links.ts';
import { coarse } from '../ages.ts';
import { age, facts, mark } from './parts.ts';

type PlanNumbers = SystemNumbers['plans'][number];

/** Each plan in a few lines; `full` with proofs, copies and schedule. */
export function plansView(of: SystemFacts, nowMs: number, full: boolean): Html {
  const { numbers } = of;
  if (numbers === undefined) return html`<p class="quiet">Not looked at yet.</p>`;
  return html`<ul class="plans">
    ${numbers.plans.map((plan) => html`<li>${planView(of, plan, nowMs, full)}</li>`)}
  </ul>`;
}

function planView(of: SystemFacts, plan: PlanNumbers, nowMs: number, full: boolean): Html {
  const { newest, newestProved, limits } = plan;
  const { name, schedules, status } = of;
  const ageNow = ageOf(newest, nowMs);
  const words = isFirstToCome(plan, nowMs)
    ? `No backup yet: ${firstDueText(plan.firstDue, nowMs)}.`
    : promiseText(ageNow, limits.newestSeconds);
  const schedule = schedules?.find((one) => one.name === `backup/${plan.plan}`);
  return html`<div class="plan">
    <h3>${plan.plan} ${isFirstToCome(plan, nowMs) ? mark('attention', 'none yet') : stateMark(of, plan, ageNow)}</h3>
    ${ageNow === undefined || limits.newestSeconds === undefined ? undefined : bar(`${plan.plan}: ${words}`, ageNow, limits.newestSeconds)}
    <p class="words">${words}</p>
    ${facts([
      ['newest', newest === undefined ? 'none' : backupLink(name, newest.id, age(newest.pointAt, nowMs))],
      [
        'newest proved',
        html`${newestProved === undefined ? 'none' : backupLink(name, newestProved.id, age(newestProved.pointAt, nowMs))}
        ${limits.provedSeconds === undefined ? undefined : `at most ${coarse(limits.provedSeconds)}`}`,
      ],
      ['backups', full ? String(plan.backups) : undefined],
      [
        'in each store',
        full
          ? html`${joined(
              plan.copies.map((copy) => copyText(copy, nowMs)),
              html`<br />`,
            )}`
          : undefined,
      ],
      ['copies', full ? ruleText(status, plan.plan) : undefined],
      ['next run', schedule === undefined ? undefined : nextText(schedule, nowMs)],
    ])}
  </div>`;
}

/** Judged by the time of the rendering, as all of it. */
function isFirstToCome(
  plan: PlanNumbers,
  nowMs: number,
): plan is PlanNumbers & Required<Pick<PlanNumbers, 'firstDue'>> {
  return plan.firstDue !== undefined && nowMs <= Date.parse(plan.firstDue.until);
}

/** When it runs next, or why not. */
export function nextText({ applied, paused, nextAt, running }: ScheduleState, nowMs: number): Shown {
  if (!applied) return mark('attention', 'not applied: holdfast apply');
  if (paused !== undefined) return html`${mark('attention', 'paused')} ${paused.note}`;
  if (running) return mark('safe', 'runs now');
  return nextAt === undefined ? 'never' : age(nextAt, nowMs);
}

function ageOf(backup: { readonly pointAt: string } | undefined, nowMs: number): number | undefined {
  return backup === undefined ? undefined : Math.max(0, (nowMs - Date.parse(backup.pointAt)) / 1000);
}

/** Judged by the time of the rendering: knowledge that gets old becomes late by itself. */
function stateMark(
  { unknown, name, findings }: SystemFacts,
  { plan, limits }: PlanNumbers,
  ageNow: number | undefined,
): Html {
  const { newestSeconds } = limits;
  if (newestSeconds === undefined) return mark('none', ageNow === undefined ? 'none yet' : 'no limit');
  if (ageNow !== undefined && ageNow <= newestSeconds) return mark('safe', 'in time');
  const id = findingId({ check: 'freshness', subject: plan });
  if (isUnknown(id, unknown)) return mark('unknown', 'not known');
  const severity = findings.find((one) => one.system === name && findingId(one) === id)?.severity ?? 'critical';
  return mark(severity === 'critical' ? 'danger' : 'attention', ageNow === undefined ? 'missing' : 'late');
}

function promiseText(age: number | undefined, limit: number | undefined): string {
  if (age === undefined)
    return limit === undefined
      ? 'No backup yet, and no limit.'
      : `No backup; at most ${coarse(limit)} old is promised.`;
  if (limit === undefined) return `${capital(coarse(age))} old; nothing is promised.`;
  return `${capital(coarse(age))} old of at most ${coarse(limit)}.`;
}

export function backupLink(system: string, backup: string, text: Shown): Html {
  return html`<a href="${ROUTES.backup(system, backup)}">${text}</a>`;
}

function copyText({ store, backups, newest, limitSeconds }: PlanNumbers['copies'][number], nowMs: number): Html {
  const limit = limitSeconds === undefined ? undefined : `, at most ${coarse(limitSeconds)} behind`;
  return html`${store}:
  ${backups}${newest === undefined ? undefined : html`, newest ${age(newest.pointAt, nowMs)}`}${limit}`;
}

function ruleText(status: SystemFacts['status'], plan: string): Shown {
  const own = status?.copies.find((one) => one.plan === plan);
  if (own === undefined) return undefined;
  const errors = own.errors === undefined ? 'not all verified' : `${own.errors} errors`;
  const counts = `${own.copies} with the live data, ${own.offsite} elsewhere, ${own.immutable} immutable, ${errors}`;
  if (own.ok === undefined) return counts;
  return own.ok
    ? html`${mark('safe', 'as the rule asks')} ${counts}`
    : html`${mark('attention', 'short of the rule')} ${(own.short ?? []).join('; ')}`;
}
