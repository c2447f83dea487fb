/** The last days of a plan as a strip of cells. Its height says nothing; what a cell means is told by shape and title. */
import { formatCount } from '../../observe/format.ts';
import { html, type Html } from '../html.ts';
import { DAYS, type Day, type PlanDays } from '../days.ts';

const STEP = 10;
const HEIGHT = 30;

/** What became of a day, in words. */
export function dayText({ kept, proved, bad, failed }: Day): string {
  if (kept === 0 && failed === 0) return 'no backup';
  const parts = [
    kept === 0 ? '' : `${formatCount(kept, 'backup')} kept`,
    proved === 0 ? '' : `${proved} proved`,
    bad === 0 ? '' : `${bad} bad`,
    failed === 0 ? '' : `${formatCount(failed, 'run')} failed`,
  ];
  return parts.filter((one) => one !== '').join(', ');
}

/** Stretches to its place: nothing in it is text. Full: kept. Low with a gap above: failed. A dash: nothing. */
export function strip(id: string, { plan, days }: PlanDays): Html {
  const kept = days.reduce((sum, day) => sum + day.kept, 0);
  const failed = days.reduce((sum, day) => sum + day.failed + day.bad, 0);
  const words = `${plan}, last ${DAYS} days: ${formatCount(kept, 'backup')} kept, ${failed} failed or bad`;
  return html`<svg
    class="strip"
    viewBox="0 0 ${DAYS * STEP} ${HEIGHT}"
    preserveAspectRatio="none"
    role="img"
    aria-labelledby="${id}"
  >
    <title id="${id}">${words}</title>
    ${days.map((day, index) => cell(day, index * STEP + 1))}
  </svg>`;
}

function cell(day: Day, x: number): Html {
  const width = STEP - 2;
  const title = html`<title>${day.date}: ${dayText(day)}</title>`;
  const wrong = day.failed + day.bad > 0;
  if (!wrong && day.kept === 0) {
    return html`<g
      >${title}<rect class="ground" x="${x}" y="0" width="${width}" height="${HEIGHT}" /><rect
        class="empty"
        x="${x}"
        y="${HEIGHT - 3}"
        width="${width}"
        height="3"
    /></g>`;
  }
  const top = wrong ? 12 : 0;
  const keptPart =
    day.kept === 0
      ? html`<rect class="ground" x="${x}" y="0" width="${width}" height="${HEIGHT}" />`
      : html`<rect class="kept" x="${x}" y="${top}" width="${width}" height="${HEIGHT - top}" />`;
  const wrongPart = wrong ? html`<path class="failed" d="M${x} 0h${width}L${x + width / 2} 10Z" />` : undefined;
  return html`<g>${title}${keptPart}${wrongPart}</g>`;
}
