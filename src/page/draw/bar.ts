/** Bars: the age of a plan's newest backup beside its objective, and how far something has come. */
import { html, type Html } from '../html.ts';

const WIDTH = 200;
const HEIGHT = 10;

/** `words` say the same. The objective is a line at two thirds, so that being late has room to show. */
export function bar(words: string, age: number, limit: number): Html {
  const full = limit * 1.5;
  const filled = Math.min(WIDTH, Math.max(2, (age / full) * WIDTH));
  const line = (limit / full) * WIDTH;
  const mark = html`<rect class="limit" x="${(line - 0.5).toFixed(1)}" y="0" width="1" height="${HEIGHT}" />`;
  return track(words, html`${filling(age > limit ? 'late' : 'good', filled)} ${mark}`);
}

/** How far something has come, from 0 to 1. */
export function doneBar(words: string, share: number): Html {
  return track(words, filling('doing', Math.min(1, share) * WIDTH));
}

function track(words: string, drawn: Html): Html {
  return html`<svg
    class="bar"
    viewBox="0 0 ${WIDTH} ${HEIGHT}"
    preserveAspectRatio="none"
    role="img"
    aria-label="${words}"
  >
    ${filling('ground', WIDTH)} ${drawn}
  </svg>`;
}

function filling(tone: 'ground' | 'good' | 'late' | 'doing', width: number): Html {
  return html`<rect class="${tone}" x="0" y="2" width="${width.toFixed(1)}" height="${HEIGHT - 4}" rx="1" />`;
}
