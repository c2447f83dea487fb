/** What runs by itself, and when. */
import type { SystemFacts } from '../facts.ts';
import { html, type Html } from '../html.ts';
import { emptyPart, part, table } from './parts.ts';
import { nextText } from './plans.ts';

/** Nothing where the system can't be read. */
export function schedulesView({ schedules, system }: SystemFacts, nowMs: number): Html {
  if (schedules === undefined) {
    return system === undefined
      ? emptyPart('schedules')
      : part('schedules', 'Next runs', html`<p>Not known: the engine does not answer.</p>`);
  }
  if (schedules.length === 0) return part('schedules', 'Next runs', nothing());
  const rows = schedules
    .toSorted((a, b) => (a.nextAt ?? '~').localeCompare(b.nextAt ?? '~'))
    .map((one) => [one.name, one.what, one.written, nextText(one, nowMs), leftOut(one.skipped, one.missed)]);
  const columns = ['schedule', 'what', 'times', 'next', 'left out'];
  return part('schedules', 'Next runs', table('What runs by itself, the next one first', columns, rows));
}

function nothing(): Html {
  return html`<p>Nothing runs by itself: no plan has a schedule. Backups are made when somebody starts them.</p>`;
}

function leftOut(skipped: number, missed: number): string {
  const parts = [
    skipped === 0 ? '' : `${skipped} skipped: the run before went on`,
    missed === 0 ? '' : `${missed} missed: the engine was down`,
  ];
  return parts.filter((one) => one !== '').join('; ');
}
