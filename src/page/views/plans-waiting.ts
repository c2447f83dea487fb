/** The plan of an operation that waits for approval, as it was printed where the operation was started. */
import { formatBytes, formatCount, formatSeconds } from '../../observe/format.ts';
import { ACTION_WORDS, frozenText } from '../../observe/plan-words.ts';
import { shortDigest } from '../../policy/approval.ts';
import type { MissingPlan, PruneResult, RestorePlan, RowsPlan } from '../../workflows/contract.ts';
import { html, type Html } from '../html.ts';
import type { WaitingPlan } from '../waiting.ts';
import { age, facts, moment, table } from './parts.ts';

export function planView(waiting: WaitingPlan, nowMs: number): Html {
  switch (waiting.kind) {
    case 'restore':
      return restoreView(waiting.plan, nowMs);
    case 'rows':
      return rowsView(waiting.plan);
    case 'missing':
      return missingView(waiting.plan);
    case 'prune':
      return pruneView(waiting.plan);
  }
}

function warningsView(warnings: readonly string[]): Html {
  return html`${warnings.map((warning) => html`<p class="warning">Warning: ${warning}</p>`)}`;
}

function restoreView(plan: RestorePlan, nowMs: number): Html {
  const { components, actions } = plan;
  return html`${facts([
    ['plan', shortDigest(plan.digest)],
    ['backup', `${plan.backup} in ${plan.store}`],
    [
      'point',
      html`${moment(plan.pointAt)}: the data will be ${formatSeconds(plan.ageSeconds)} old, and what was written since
      is lost`,
    ],
    ['recovers', plan.recoverTo],
    ['frozen', plan.frozen === undefined ? undefined : frozenText(plan.frozen)],
  ])}
  ${table(
    'What is restored',
    ['component', 'kind', 'host', { title: 'size', kind: 'number' }, 'live state'],
    components.map(({ name, kind, host, sizeBytes, liveExists, liveChangedAt }) => [
      name,
      kind,
      host,
      formatBytes(sizeBytes),
      !liveExists
        ? 'not there'
        : liveChangedAt === undefined
          ? 'there'
          : html`there, changed ${age(liveChangedAt, nowMs)}`,
    ]),
  )}
  ${table(
    'What is done, in this order',
    ['action', 'component', 'on'],
    actions.map(({ action, component, on }, index) => [
      `${index + 1}. ${ACTION_WORDS[action]}`,
      component,
      on.join(', '),
    ]),
  )}
  ${warningsView(plan.warnings)}`;
}

function rowsView(plan: RowsPlan): Html {
  return html`${facts([
    ['plan', shortDigest(plan.digest)],
    ['backup', `${plan.backup} in ${plan.store}`],
    ['point', html`${moment(plan.pointAt)}, ${formatSeconds(plan.ageSeconds)} ago`],
    ['where', plan.where ?? 'all rows'],
    ['rows that differ', plan.onChanged === 'restore' ? 'become as in the backup' : 'stay as they are'],
  ])}
  ${table(
    'Rows to put back',
    [
      'table',
      { title: 'in backup', kind: 'number' },
      { title: 'add', kind: 'number' },
      { title: 'differ', kind: 'number' },
      { title: 'same', kind: 'number' },
    ],
    plan.tables.map((one) => [one.table, one.selected, one.missing, one.changed, one.same]),
  )}
  ${warningsView(plan.warnings)}`;
}

function missingView(plan: MissingPlan): Html {
  const { missing, differ, undoes } = plan;
  const replaces = plan.changed || undoes !== undefined;
  return html`${facts([
    ['plan', shortDigest(plan.digest)],
    ['backup', undoes === undefined ? `${plan.backup} in ${plan.store}` : undefined],
    ['takes back', undoes === undefined ? undefined : `the run ${undoes}`],
    ['in', `${plan.place} on ${plan.host}`],
    [
      undoes === undefined ? 'puts back' : 'removes',
      `${formatCount(missing.files, 'file')} (${formatBytes(missing.bytes)}), ${missing.directories + missing.links} directories and links`,
    ],
    ['files that differ', `${differ.files} ${replaces ? 'are replaced' : 'stay as they are'}`],
    ['names', plan.listFile],
  ])}
  ${warningsView(plan.warnings)}`;
}

function pruneView(plan: PruneResult['plan']): Html {
  const more = plan.removesCount - plan.removes.length;
  return html`${facts([
    ['plan', shortDigest(plan.digest)],
    ['asks', plan.asks.join('; ')],
    [
      'deletes',
      `${formatCount(plan.removesCount, 'backup')}, and ${formatCount(plan.freesObjects, 'object')}: ${formatBytes(plan.freesBytes)}`,
    ],
    ['keeps', formatCount(plan.keeps, 'backup')],
  ])}
  ${table(
    'Backups that go',
    ['backup', 'plan', 'started', 'why it goes'],
    plan.removes.map(({ backup, plan: name, startedAt, why }) => [backup, name, moment(startedAt), why]),
  )}
  ${more > 0 ? html`<p>And ${formatCount(more, 'more backup')}.</p>` : undefined}`;
}
