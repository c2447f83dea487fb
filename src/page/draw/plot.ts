/** One value of each backup over the last days, with axes. The drawing stretches; its labels are text of the page. */
import { html, type Html } from '../html.ts';
import { ageText } from '../ages.ts';
import { DAY_MS, DAYS, type Point } from '../days.ts';

const WIDTH = 300;
const HEIGHT = 90;
const HOUR_MS = 3_600_000;

export interface PlotTexts {
  readonly id: string;
  readonly title: string;
  /** How a value is told. */
  readonly text: (value: number) => string;
  /** A round number that is at least the value. */
  readonly round: (value: number) => number;
}

export function plot(points: readonly Point[], texts: PlotTexts, nowMs: number): Html {
  const { id, title, text, round } = texts;
  const values = points.map(({ value }) => value);
  const top = round(Math.max(1, ...values));
  // A system of a few days fills its plots as well.
  const oldest = points[0]?.atMs ?? nowMs;
  const fromMs = Math.max(nowMs - DAYS * DAY_MS, Math.min(oldest - (nowMs - oldest) / 20, nowMs - HOUR_MS));
  const x = (atMs: number): string => (((atMs - fromMs) / (nowMs - fromMs)) * WIDTH).toFixed(1);
  const y = (value: number): string => (HEIGHT - (value / top) * HEIGHT).toFixed(1);
  const places = points.map(({ atMs, value }) => `${x(atMs)} ${y(value)}`);
  const last = points.at(-1);
  const words =
    last === undefined
      ? 'No backup in this time.'
      : `${points.length} backups, from ${text(Math.min(...values))} to ${text(Math.max(...values))}; the newest ${text(last.value)}.`;
  return html`<figure class="plot">
    <figcaption>${title}${last === undefined ? undefined : html` <strong>${text(last.value)}</strong>`}</figcaption>
    <div class="axes">
      <div class="ticks" aria-hidden="true"><span>${text(top)}</span><span>${text(top / 2)}</span><span>0</span></div>
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-labelledby="${id}-t ${id}-d">
        <title id="${id}-t">${title}, since ${ageText(fromMs, nowMs)}</title>
        <desc id="${id}-d">${words}</desc>
        <path class="grid" d="M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT}H${WIDTH}M0 0V${HEIGHT}" />
        ${places.length < 2 ? undefined : html`<path class="line" d="M${places.join('L')}" />`}
        <path class="dots" d="${places.map((place) => `M${place}h0`).join('')}" />
      </svg>
      <div class="days" aria-hidden="true"><span>${ageText(fromMs, nowMs)}</span><span>now</span></div>
    </div>
  </figure>`;
}
