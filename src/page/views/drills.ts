/** Which restores were rehearsed, how they ended and how long they took. */
import { formatSeconds } from '../../observe/format.ts';
import { missedObjectives } from '../../policy/drill-verdict.ts';
import type { DrillReport } from '../../workflows/drill-contract.ts';
import type { SystemFacts } from '../facts.ts';
import { html, type Html } from '../html.ts';
import { command, mark, moment, part, table } from './parts.ts';

const SHOWN = 12;

export function drillsView({ name, system, drills = [] }: SystemFacts): Html {
  const declared = system?.drills.map((drill) => drill.name) ?? [];
  if (drills.length === 0) {
    return part(
      'drills',
      'Drills',
      html`<p>
          No restore of this system was rehearsed and measured
          yet${declared.length === 0 ? '' : ` (declared: ${declared.join(', ')})`}. This does it now, in isolation, and
          removes it again:
        </p>
        <p>${command(`holdfast drill ${name}`)}</p>`,
    );
  }
  const rows = drills
    .slice(0, SHOWN)
    .map((drill) => [
      moment(drill.startedAt),
      drill.kind,
      outcome(drill),
      ofObjective(drill.rtoSeconds, drill.rtoObjectiveSeconds),
      drill.sources.map(({ backup }) => backup).join(', '),
      drill.by,
    ]);
  return part(
    'drills',
    'Drills',
    html`${table('Drills', ['when', 'kind', 'ended', 'restored in', 'backup', 'by'], rows)}
      <p class="quiet">A report in full: ${command(`holdfast drills ${name} --show latest`)}</p>`,
  );
}

function outcome(drill: DrillReport): Html {
  if (drill.outcome === 'failed') return mark('danger', 'failed');
  if (drill.outcome === 'broken') return mark('unknown', 'not finished');
  return missedObjectives({ ...drill, losses: [] }).length > 0 ? mark('attention', 'too slow') : mark('safe', 'passed');
}

function ofObjective(seconds: number, limit: number | undefined): string {
  return limit === undefined ? formatSeconds(seconds) : `${formatSeconds(seconds)} of ${formatSeconds(limit)}`;
}
