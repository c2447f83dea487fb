/** The age of a plan's newest backup beside its objective. */
import { html, type Html } from '../html.ts';

const WIDTH = 200;
const HEIGHT = 10;

/** `words` say the same. The objective is a line at two thirds, so that being late has room to show. */
export function bar(words: string, age: number, limit: number): Html {
  const full = limit * 1.5;
  const filled = Math.min(WIDTH, Math.max(2, (age / full) * WIDTH));
  const late = age > limit;
  const line = (limit / full) * WIDTH;
  return html`<svg
    class="bar"
    viewBox="0 0 ${WIDTH} ${HEIGHT}"
    preserveAspectRatio="none"
    role="img"
    aria-label="${words}"
  >
    <rect class="ground" x="0" y="2" width="${WIDTH}" height="${HEIGHT - 4}" rx="1" />
    <rect class="${late ? 'late' : 'good'}" x="0" y="2" width="${filled.toFixed(1)}" height="${HEIGHT - 4}" rx="1" />
    <rect class="limit" x="${(line - 0.5).toFixed(1)}" y="0" width="1" height="${HEIGHT}" />
  </svg>`;
}

/** How far something has come, from 0 to 1. */
export function doneBar(words: string, share: number): Html {
  return html`<svg
    class="bar"
    viewBox="0 0 ${WIDTH} ${HEIGHT}"
    preserveAspectRatio="none"
    role="img"
    aria-label="${words}"
  >
    <rect class="ground" x="0" y="2" width="${WIDTH}" height="${HEIGHT - 4}" rx="1" />
    <rect class="doing" x="0" y="2" width="${(Math.min(1, share) * WIDTH).toFixed(1)}" height="${HEIGHT - 4}" rx="1" />
  </svg>`;
}
