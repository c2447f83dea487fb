/** `/systems/<name>`: one system, from the verdict down to its single backups. */
import { formatBytes, formatCount, formatMilliseconds, formatSeconds } from '../../observe/format.ts';
import { addedBytes, dataBytes, durationMs } from '../../status/backup-amounts.ts';
import { bestVerdict, type KnownBackup } from '../../status/catalogues.ts';
import { coarse } from '../ages.ts';
import { DAYS, planDays, trendOf, type PlanDays } from '../days.ts';
import { plot } from '../draw/plot.ts';
import { roundBytes, roundMs } from '../draw/scale.ts';
import { dayText, strip } from '../draw/strip.ts';
import { belongsTo, type EngineFacts, type Knowledge, type SystemFacts } from '../facts.ts';
import { html, type Html, type Shown } from '../html.ts';
import { systemVerdict, type Level } from '../verdict.ts';
import { drillsView } from './drills.ts';
import { endedView, runningView } from './operations.ts';
import { age, command, emptyPart, mark, moment, part, table, verdictBanner } from './parts.ts';
import { backupLink, plansView } from './plans.ts';
import { schedulesView } from './schedules.ts';
import { healedView, toDo, unseen } from './to-do.ts';

const MOST_BACKUPS = 50;
const MOST_ENDED = 20;

export function systemPage(facts: SystemFacts, knowledge: Knowledge, nowMs: number): Html {
  const { engine } = knowledge;
  const { name, lookedAtMs } = facts;
  const own = engine.operations.filter((one) => belongsTo(name, one));
  return html`${verdictBanner(systemVerdict(facts, engine, nowMs), name, 'verdict')} ${toDo([facts], engine, nowMs)}
  ${runningView(own, engine, nowMs)}
  ${part(
    'plans',
    'Plans',
    plansView(facts, nowMs, true),
    lookedAtMs === undefined ? undefined : html`<span class="quiet">stores looked at ${age(lookedAtMs, nowMs)}</span>`,
  )}
  ${schedulesView(facts, nowMs)} ${timeline(facts, engine, nowMs)} ${stores(facts, nowMs)} ${logs(facts)}
  ${trends(facts, nowMs)} ${drillsView(facts)} ${backupsView(facts, nowMs)} ${ended(facts, engine, nowMs)}
  ${healedView(facts, engine)} ${unseen(facts)}`;
}

function timeline({ name, status, backups }: SystemFacts, engine: EngineFacts, nowMs: number): Html {
  const own = engine.ended.filter((run) => belongsTo(name, run));
  const plans = (status?.plans ?? []).map(({ plan }) => planDays(name, plan, backups, own, nowMs));
  return part(
    'days',
    `Last ${DAYS} days`,
    html`<div class="strips">
        ${plans.map((one) => html`<div class="row"><span class="label">${one.plan}</span>${strip(`d-${one.plan}`, one)}</div>`)}
        <div class="row" aria-hidden="true">
          <span class="label"></span><span class="days"><span>${DAYS} days ago</span><span>today</span></span>
        </div>
      </div>
      <p class="legend quiet">
        <span
          ><svg class="sample" viewBox="0 0 10 10" aria-hidden="true"><rect class="kept" width="10" height="10" /></svg>
          kept</span
        >
        <span
          ><svg class="sample" viewBox="0 0 10 10" aria-hidden="true"><path class="failed" d="M0 0h10L5 10Z" /></svg>
          failed, or bad</span
        >
        <span
          ><svg class="sample" viewBox="0 0 10 10" aria-hidden="true">
            <rect class="empty" y="7" width="10" height="3" />
          </svg>
          none</span
        >
      </p>
      ${daysTable(plans)}`,
  );
}

function daysTable(plans: readonly PlanDays[]): Html {
  const days = plans[0]?.days.map(({ date }) => date).toReversed() ?? [];
  const rows = days.map((date) => [
    date,
    ...plans.map((plan) => {
      const day = plan.days.find((one) => one.date === date);
      return day === undefined ? '' : dayText(day);
    }),
  ]);
  return html`<details id="days-table">
    <summary>As a table</summary>
    ${table(`The last ${DAYS} days`, ['day', ...plans.map(({ plan }) => plan)], rows)}
  </details>`;
}

function stores({ system, status }: SystemFacts, nowMs: number): Html {
  if (system === undefined || status === undefined) return emptyPart('stores');
  const rows = system.stores.map(({ name, kind, place, medium }) => {
    const unread = status.unread.find(({ store }) => store === name);
    const behind = status.behind.find(({ store }) => store === name);
    const back = status.stores.find(({ store }) => store === name);
    return [
      name,
      `${kind}, ${medium} in ${place}`,
      unread === undefined ? mark('safe', 'read') : html`${mark('unknown', "can't be read")} ${unread.error.message}`,
      behindText(behind, nowMs),
      readBackText(back, nowMs),
    ];
  });
  const columns = ['store', 'what', 'state', 'copies', 'read back'];
  return part('stores', 'Stores', table('Stores', columns, rows));
}

type Behind = NonNullable<SystemFacts['status']>['behind'][number];
type ReadBack = NonNullable<SystemFacts['status']>['stores'][number];

function behindText(behind: Behind | undefined, nowMs: number): Shown {
  if (behind === undefined) return 'nothing missing';
  const { backups, since, late, copy } = behind;
  if (backups === undefined || since === undefined) return 'not known';
  const doing = copy === undefined ? 'no copy runs' : 'its copy runs';
  return html`${mark(late ? 'danger' : 'attention', `${formatCount(backups, 'backup')} missing`)} the oldest for
  ${coarse((nowMs - Date.parse(since)) / 1000)};
  ${doing}${copy?.trouble === undefined ? undefined : `: ${copy.trouble}`}`;
}

function readBackText(back: ReadBack | undefined, nowMs: number): Shown {
  if (back === undefined || back.unread !== undefined) return 'not known';
  const { errors, completeSince, fraction, last, archived, overdue } = back;
  const bad = errors === 0 ? undefined : mark('danger', formatCount(errors, 'bad object'));
  if (archived === true)
    return html`${bad} an archive${last === undefined ? ', never looked at' : html`, seen ${age(last, nowMs)}`}`;
  if (completeSince !== undefined) {
    return html`${bad} all of it in the last ${coarse((nowMs - Date.parse(completeSince)) / 1000)}`;
  }
  if (last === undefined) return html`${bad} never as a whole`;
  const due = overdue === 0 ? '' : `, ${overdue} of 256 parts are due`;
  return html`${bad} ${Math.round(fraction * 100)} %, last ${age(last, nowMs)}${due}`;
}

function logs({ status }: SystemFacts): Html {
  if (status === undefined || status.logs.length === 0) return emptyPart('logs');
  const rows = status.logs.map((log) => {
    const level: Level = log.behind ? 'danger' : log.received === undefined ? 'unknown' : 'safe';
    const words = log.received === undefined ? 'not known' : log.received ? 'received' : 'not received';
    const point = log.recoveryPointAgeSeconds;
    return [
      log.component,
      html`${mark(level, words)} ${[log.waitingFor, log.trouble].filter((one) => one !== undefined).join('; ')}`,
      log.store,
      log.storedLsn ?? 'nothing yet',
      point === undefined ? 'not known' : `${formatSeconds(point)} ago`,
      log.heldBackBytes === undefined ? '' : formatBytes(log.heldBackBytes),
      log.gaps.length === 0 ? 'none' : log.gaps.join('; '),
    ];
  });
  const columns = ['component', 'state', 'store', 'stored up to', 'recovery point', 'held back', 'gaps'];
  return part('logs', 'Write-ahead logs', table('Write-ahead logs', columns, rows));
}

function trends({ status, backups }: SystemFacts, nowMs: number): Html {
  const all = (status?.plans ?? [])
    .map(({ plan }) => trendOf(plan, backups, nowMs))
    .filter(({ sizes }) => sizes.length > 0);
  if (all.length === 0) return emptyPart('trends');
  return part(
    'trends',
    'Size and duration',
    html`<div class="plots">
        ${all.map(({ plan, sizes, durations }) => [
          plot(sizes, { id: `size-${plan}`, title: `${plan}: size`, text: formatBytes, round: roundBytes }, nowMs),
          plot(
            durations,
            { id: `took-${plan}`, title: `${plan}: duration`, text: formatMilliseconds, round: roundMs },
            nowMs,
          ),
        ])}
      </div>
      <p class="quiet">The same as a table: the backups below.</p>`,
  );
}

const backupColumns = [
  'backup',
  'plan',
  'point',
  'verified',
  'stores',
  { title: 'size', kind: 'number' },
  { title: 'added', kind: 'number' },
  { title: 'took', kind: 'number' },
] as const;

function backupsView({ name, backups }: SystemFacts, nowMs: number): Html {
  if (backups.length === 0) {
    return part('backups', 'Backups', html`<p>None is known. ${command(`holdfast backup ${name}`)}</p>`);
  }
  const rows = backups.slice(0, MOST_BACKUPS).map((backup) => {
    const { body } = backup.entry;
    return [
      backupLink(name, body.id, body.id),
      `${body.plan}${body.tag === undefined ? '' : ` (${body.tag})`}${body.purpose === 'safety' ? ', safety' : ''}`,
      html`${moment(body.pointAt)} <span class="quiet">${age(body.pointAt, nowMs)}</span>`,
      verifiedMark(backup),
      backup.stores.join(', '),
      formatBytes(dataBytes(backup)),
      formatBytes(addedBytes(backup)),
      formatMilliseconds(durationMs(backup)),
    ];
  });
  const more = backups.length - rows.length;
  return part(
    'backups',
    'Backups',
    html`${table('Backups, newest first', backupColumns, rows)}
    ${more > 0 ? html`<p>And ${formatCount(more, 'older one')}: ${command(`holdfast list ${name}`)}</p>` : undefined}`,
  );
}

export function verifiedMark(backup: KnownBackup): Html {
  const { trust } = backup.entry;
  if (!trust.ok) return html`${mark('danger', 'not trusted')} <span class="quiet">${trust.why}</span>`;
  const verdict = bestVerdict(backup);
  if (verdict === undefined) return mark('none', 'not verified');
  return verdict.ok ? mark('safe', verdict.level) : mark('danger', `${verdict.level}: bad`);
}

function ended({ name }: SystemFacts, engine: EngineFacts, nowMs: number): Html {
  const own = engine.ended.filter((run) => belongsTo(name, run));
  if (own.length === 0) return emptyPart('ended');
  return part('ended', 'Ended operations', endedView(own, engine, nowMs, MOST_ENDED));
}
