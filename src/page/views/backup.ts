/** `/systems/<name>/backups/<id>`: one recovery point. */
import { formatBytes, formatCount, formatMilliseconds } from '../../observe/format.ts';
import { componentBytes, dataBytes, downtimeMs, durationMs } from '../../status/backup-amounts.ts';
import type { KnownBackup } from '../../status/catalogues.ts';
import { html, type Html, type Shown } from '../html.ts';
import { ROUTES } from '../links.ts';
import { age, command, facts, mark, moment, part, table } from './parts.ts';
import { verifiedMark } from './system.ts';

export function backupPage(system: string, backup: KnownBackup, nowMs: number): Html {
  const { body, notes = [] } = backup.entry;
  return html`<p><a href="${ROUTES.system(system)}">← ${system}</a></p>
    <section id="backup" data-live>
      <h1>Backup ${body.id} ${verifiedMark(backup)}</h1>
      ${facts([
        ['plan', `${body.plan}${body.tag === undefined ? '' : `, tagged ${body.tag}`}`],
        ['purpose', body.purpose === 'safety' ? 'made before a restore; never counted as newest or proved' : undefined],
        ['recovery point', html`${moment(body.pointAt)}, ${age(body.pointAt, nowMs)}`],
        ['captured', html`${moment(body.startedAt)}, took ${formatMilliseconds(durationMs(backup))}`],
        ['data', formatBytes(dataBytes(backup))],
        ['downtime', downtime(backup)],
        ['site', body.site],
        ['manifest', html`<span class="id">${backup.entry.key}</span>`],
        ['made by', body.holdfastVersion === '' ? undefined : `Holdfast ${body.holdfastVersion}`],
      ])}
      ${notes.map((note) => html`<p class="warning">${note}</p>`)}
    </section>
    ${part('components', 'Components', components(backup))} ${part('places', 'Where it lies', places(backup, nowMs))}
    ${part(
      'commands',
      'What can be done with it',
      html`<p>See what a restore of it would do:</p>
        ${command(`holdfast restore ${system} --backup ${body.id} --dry-run`)}
        <p>Read it back:</p>
        ${command(`holdfast verify ${system} ${body.id}`)}
        <p>Keep it whatever the rules say:</p>
        ${command(`holdfast hold add ${system} ${body.id} --why '<reason>'`)}`,
    )}`;
}

function downtime(backup: KnownBackup): Shown {
  const { freezes } = backup.entry.body;
  if (freezes.length === 0) return 'none';
  return `${formatMilliseconds(downtimeMs(backup))} in ${formatCount(freezes.length, 'pause')}`;
}

function components({ entry }: KnownBackup): Html {
  const columns = [
    'component',
    'kind',
    'host',
    { title: 'size', kind: 'number' },
    { title: 'added', kind: 'number' },
    { title: 'files', kind: 'number' },
    'to note',
  ] as const;
  const rows = entry.body.components.map(({ name, kind, host, artifacts, counts, warnings }) => [
    name,
    kind,
    host,
    formatBytes(componentBytes({ artifacts })),
    formatBytes(counts.storedBytes),
    counts.filesSeen === 0 ? '' : counts.filesSeen.toLocaleString('en'),
    [
      ...warnings,
      ...(counts.changedCount === 0 ? [] : [`${formatCount(counts.changedCount, 'file')} changed while read`]),
    ].join('; '),
  ]);
  return table('Components', columns, rows);
}

function places(backup: KnownBackup, nowMs: number): Html {
  const rows = backup.stores.map((store) => {
    const proof = backup.verdicts.find((one) => one.store === store)?.proof;
    if (proof === undefined) return [store, mark('none', 'not verified'), '', ''];
    const found = proof.ok
      ? mark('safe', proof.level)
      : mark('danger', `${proof.level}: ${proof.bad.length + proof.moreBad} bad`);
    return [
      store,
      found,
      age(proof.at, nowMs),
      `${formatCount(proof.objectsChecked, 'object')}, ${formatBytes(proof.bytesChecked)}`,
    ];
  });
  return table('Stores that hold it', ['store', 'verified', 'when', 'checked'], rows);
}
