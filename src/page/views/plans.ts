/** Plans against what they promise. */
import { bestVerdict, type KnownBackup } from '../../status/catalogues.ts';
import type { SystemStatus } from '../../status/system-status.ts';
import { bar } from '../draw/bar.ts';
import type { SystemFacts } from '../facts.ts';
import { html, type Html, type Shown } from '../html.ts';
import { ROUTES } from '../links.ts';
import type { Level } from '../verdict.ts';
import { age, coarse, facts, mark } from './parts.ts';

type PlanStatus = SystemStatus['plans'][number];

const LEVELS: Readonly<Record<PlanStatus['state'], Level>> = {
  fresh: 'safe',
  stale: 'danger',
  missing: 'danger',
  unbounded: 'none',
};

/** Each plan in a few lines; `full` with copies and schedule. */
export function plansView(of: SystemFacts, nowMs: number, full: boolean): Html {
  const { status } = of;
  if (status === undefined) return html`<p class="quiet">Not looked at yet.</p>`;
  return html`<ul class="plans">
    ${status.plans.map((plan) => html`<li>${planView(of, status, plan, nowMs, full)}</li>`)}
  </ul>`;
}

function planView(
  { name, backups, system }: SystemFacts,
  status: SystemStatus,
  plan: PlanStatus,
  nowMs: number,
  full: boolean,
): Html {
  const { newest, limitSeconds } = plan;
  const ageNow = newest === undefined ? undefined : Math.max(0, (nowMs - newest.pointAtMs) / 1000);
  const words = promiseText(ageNow, limitSeconds);
  const schedule = system?.plans.find((one) => one.name === plan.plan)?.schedule;
  return html`<div class="plan">
    <h3>${plan.plan} ${stateMark(plan, status, ageNow)}</h3>
    ${ageNow === undefined || limitSeconds === undefined ? undefined : bar(`${plan.plan}: ${words}`, ageNow, limitSeconds)}
    <p class="words">${words}</p>
    ${facts([
      ['newest', newest === undefined ? undefined : backupLink(name, newest.id, age(newest.pointAtMs, nowMs))],
      ['newest proved', provedText(name, plan.plan, backups, nowMs)],
      ['backups', full ? String(plan.backups) : undefined],
      ['copies', full ? copiesText(status, plan.plan) : undefined],
      ['schedule', full && schedule !== undefined ? `${schedule.cron} (${schedule.timeZone})` : undefined],
    ])}
  </div>`;
}

/** Judged by the time of the rendering: knowledge that gets old becomes late by itself. */
function stateMark({ state, limitSeconds }: PlanStatus, { unread }: SystemStatus, ageNow: number | undefined): Html {
  if (state === 'missing') {
    if (unread.length > 0) return mark('unknown', 'not known');
    return limitSeconds === undefined ? mark('none', 'none yet') : mark('danger', 'missing');
  }
  if (limitSeconds !== undefined && ageNow !== undefined && ageNow > limitSeconds) return mark('danger', 'late');
  return mark(LEVELS[state], state === 'unbounded' ? 'no objective' : 'in time');
}

function promiseText(age: number | undefined, limit: number | undefined): string {
  if (age === undefined)
    return limit === undefined ? 'No backup yet, and no objective.' : `No backup; promised every ${coarse(limit)}.`;
  if (limit === undefined) return `${capital(coarse(age))} old; nothing is promised.`;
  return `${capital(coarse(age))} old of at most ${coarse(limit)}.`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function backupLink(system: string, backup: string, text: Shown): Html {
  return html`<a href="${ROUTES.backup(system, backup)}">${text}</a>`;
}

function provedText(system: string, plan: string, backups: readonly KnownBackup[], nowMs: number): Shown {
  const proved = backups.find(
    (backup) =>
      backup.entry.body.plan === plan && backup.entry.body.purpose === 'backup' && bestVerdict(backup)?.ok === true,
  );
  if (proved === undefined) return 'none';
  const { id, pointAt } = proved.entry.body;
  return html`${backupLink(system, id, age(pointAt, nowMs))} (${bestVerdict(proved)?.level ?? ''})`;
}

function copiesText({ copies }: SystemStatus, plan: string): Shown {
  const own = copies.find((one) => one.plan === plan);
  if (own === undefined) return undefined;
  const verdict =
    own.ok === undefined
      ? undefined
      : own.ok
        ? mark('safe', 'as the rule asks')
        : html`${mark('attention', 'short of the rule')} ${(own.short ?? []).join('; ')}`;
  const errors = own.errors === undefined ? 'not all verified' : `${own.errors} errors`;
  return html`${own.copies} with the live data, in ${own.stores.join(', ')}; ${own.immutable} immutable; ${errors}
  ${verdict}`;
}
