/** What all pages are made of. */
import { ageText, momentText } from '../ages.ts';
import type { Run } from '../facts.ts';
import { html, type Html, type Shown } from '../html.ts';
import { runUrl, type TemporalUi } from '../links.ts';
import type { Level, Verdict } from '../verdict.ts';
import { icon } from './icons.ts';

/** Words with a colour and a shape. */
export function mark(level: Level, words: string): Html {
  return html`<span class="mark ${level}">${icon(level)}${words}</span>`;
}

export function verdictBanner({ level, title, why }: Verdict, heading: Shown, id: string): Html {
  return html`<section class="verdict ${level}" id="${id}" data-live aria-labelledby="${id}-title">
    ${icon(level)}
    <div>
      <h1 id="${id}-title">${heading}<span class="hidden">: </span><strong>${title}</strong></h1>
      <p>${why}</p>
    </div>
  </section>`;
}

/** A moment, told as an age; the moment itself on hovering and for programs. */
export function age(time: string | number, nowMs: number): Html {
  const ms = typeof time === 'number' ? time : Date.parse(time);
  if (Number.isNaN(ms)) return html`<span>${time}</span>`;
  return html`<time datetime="${new Date(ms).toISOString()}" title="${momentText(ms)}">${ageText(ms, nowMs)}</time>`;
}

export function moment(time: string | number): Html {
  const ms = typeof time === 'number' ? time : Date.parse(time);
  if (Number.isNaN(ms)) return html`<span>${time}</span>`;
  return html`<time datetime="${new Date(ms).toISOString()}">${momentText(ms)}</time>`;
}

/** To be typed; the script adds a button that copies it. */
export function command(text: string): Html {
  return html`<code class="command" tabindex="0" role="group" aria-label="command">${text}</code>`;
}

export function runLink(ui: TemporalUi | undefined, run: Run): Html {
  if (ui === undefined) return html`<span class="id">${run.workflowId}</span>`;
  const url = runUrl(ui, run.workflowId, run.runId);
  return html`<a class="id" href="${url}" rel="noreferrer"
    >${run.workflowId}${icon('out')}<span class="hidden"> in the Temporal UI</span></a
  >`;
}

/** A part of a page that is replaced when it changes. */
export function part(id: string, title: Shown, body: Shown, more?: Shown): Html {
  return html`<section class="part" id="${id}" data-live aria-labelledby="${id}-title">
    <header>
      <h2 id="${id}-title">${title}</h2>
      ${more}
    </header>
    ${body}
  </section>`;
}

/** Where a part will be when it has something to show: the script replaces only what is there. */
export function emptyPart(id: string): Html {
  return html`<div id="${id}" data-live></div>`;
}

/** By its title; of numbers where that is said. */
export type Column = string | { readonly title: string; readonly kind: 'number' };

/** Scrolls by itself where it is too wide, also by keyboard. The roles are said because small screens lay it out as cards. */
export function table(caption: string, columns: readonly Column[], rows: readonly (readonly Shown[])[]): Html {
  const all = columns.map((column) => (typeof column === 'string' ? { title: column, kind: '' } : column));
  const cell = (value: Shown, index: number): Html => {
    const { kind, title } = all[index] ?? { kind: '', title: '' };
    return index === 0
      ? html`<th scope="row" role="rowheader" data-title="${title}">${value}</th>`
      : html`<td role="cell" class="${kind}" data-title="${title}">${value}</td>`;
  };
  return html`<div class="scroll" tabindex="0" role="group" aria-label="${caption}">
    <table role="table">
      <caption class="hidden">
        ${caption}
      </caption>
      <thead role="rowgroup">
        <tr role="row">
          ${all.map(({ title, kind }) => html`<th scope="col" role="columnheader" class="${kind}">${title}</th>`)}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${rows.map(
          (row) =>
            html`<tr role="row">
              ${row.map(cell)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** Facts as term and description; those without one are left out. */
export function facts(of: readonly (readonly [string, Shown])[]): Html {
  const known = of.filter(([, value]) => value !== undefined && value !== '');
  return html`<dl class="facts">
    ${known.map(
      ([term, value]) =>
        html`<div>
          <dt>${term}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}
