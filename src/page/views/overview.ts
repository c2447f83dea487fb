/** `/`: are all systems safe, and what is to be done? */
import { planDays } from '../days.ts';
import { strip } from '../draw/strip.ts';
import { belongsTo, type Knowledge, type SystemFacts } from '../facts.ts';
import { html, type Html } from '../html.ts';
import { ROUTES } from '../links.ts';
import { systemVerdict, wholeVerdict } from '../verdict.ts';
import { runningView } from './operations.ts';
import { mark, part, verdictBanner } from './parts.ts';
import { plansView } from './plans.ts';
import { toDo } from './to-do.ts';

export function overview(knowledge: Knowledge, nowMs: number): Html {
  const { systems, engine } = knowledge;
  return html`${verdictBanner(wholeVerdict(knowledge, nowMs), 'Backups', 'verdict')} ${toDo(systems, engine, nowMs)}
  ${runningView(engine.operations, engine, nowMs)}
  ${part('all', 'Systems', html`<div class="cards">${systems.map((facts) => card(facts, knowledge, nowMs))}</div>`)}`;
}

function card(facts: SystemFacts, { engine }: Knowledge, nowMs: number): Html {
  const { name, status, backups } = facts;
  const { level, title, why } = systemVerdict(facts, engine, nowMs);
  const ended = engine.ended.filter((run) => belongsTo(name, run));
  return html`<article class="card ${level}" aria-labelledby="card-${name}">
    <h3 id="card-${name}"><a href="${ROUTES.system(name)}">${name}</a> ${mark(level, title)}</h3>
    <p>${why}</p>
    ${plansView(facts, nowMs, false)}
    <div class="strips">
      ${(status?.plans ?? []).map(
        ({ plan }) =>
          html`<div class="row">
            <span class="label">${plan}</span>${strip(`o-${name}-${plan}`, planDays(name, plan, backups, ended, nowMs))}
          </div>`,
      )}
    </div>
  </article>`;
}
