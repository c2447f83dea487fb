/** What a person should do next: plans that wait for a word, incidents, findings with their hints. */
import { findingId, type Finding } from '../../policy/findings.ts';
import type { IncidentState } from '../../workflows/contract.ts';
import { belongsTo, type EngineFacts, type IncidentFacts, type SystemFacts } from '../facts.ts';
import { html, type Html } from '../html.ts';
import { waitingFor, type Waiting } from '../waiting.ts';
import { icon } from './icons.ts';
import { age, command, emptyPart, mark, moment, part, runLink } from './parts.ts';
import { planView } from './plans-waiting.ts';

/** Of these systems. Nothing when there is nothing to do. */
export function toDo(systems: readonly SystemFacts[], engine: EngineFacts, nowMs: number): Html {
  const items = systems.flatMap((facts) => itemsOf(facts, engine, nowMs));
  if (items.length === 0) return emptyPart('to-do');
  return part(
    'to-do',
    'What to do',
    html`<ul class="to-do">
      ${items.map((item) => html`<li>${item}</li>`)}
    </ul>`,
  );
}

/** Incidents that are over, as far as the engine remembers them. */
export function healedView({ name }: SystemFacts, { healed }: EngineFacts): Html {
  const own = healed.filter(({ system }) => system === name);
  if (own.length === 0) return emptyPart('healed');
  return part(
    'healed',
    'Incidents that are over',
    html`<ul class="to-do">
      ${own.map(
        ({ workflowId, id, incident, startedAt }) =>
          html`<li>
            <details id="healed-${workflowId}-${startedAt}">
              <summary>${moment(startedAt)} ${id}: ${incident?.finding.what}</summary>
              ${timelineView(incident?.timeline ?? [])}
            </details>
          </li>`,
      )}
    </ul>`,
  );
}

function timelineView(timeline: IncidentState['timeline']): Html {
  return html`<ol class="timeline">
    ${timeline.map(({ at, what, by }) => html`<li>${moment(at)} ${what}${by === undefined ? undefined : ` (${by})`}</li>`)}
  </ol>`;
}

/** What could not be looked at. */
export function unseen({ unknown }: SystemFacts): Html {
  if (unknown.length === 0) return emptyPart('unseen');
  return part(
    'unseen',
    'What could not be looked at',
    html`<ul class="unseen">
      ${unknown.map(({ what, why }) => html`<li><strong>${what}</strong>: ${why}</li>`)}
    </ul>`,
  );
}

function itemsOf({ name, findings }: SystemFacts, engine: EngineFacts, nowMs: number): Html[] {
  const incidents = engine.incidents.filter((one) => belongsTo(name, one) && one.state.state !== 'healed');
  const known = new Set(incidents.map(({ state }) => findingId(state.finding)));
  const troubles = (severity: Finding['severity']): Html[] => [
    ...incidents
      .filter(({ state }) => state.finding.severity === severity)
      .map((incident) => incidentItem(name, incident, engine, nowMs)),
    // An incident tells its finding.
    ...findings
      .filter((finding) => finding.severity === severity && !known.has(findingId(finding)))
      .map((finding) => findingItem(finding, nowMs)),
  ];
  return [
    ...troubles('critical'),
    ...waitingFor(engine, name).map((waiting) => waitingItem(name, waiting, engine, nowMs)),
    ...troubles('warning'),
  ];
}

function waitingItem(
  system: string,
  { operation, what, approve, reject, plan }: Waiting,
  engine: EngineFacts,
  nowMs: number,
) {
  const { workflowId, startedAt } = operation;
  return html`<article class="item attention" id="waits-${operation.runId}">
    <h3>${icon('waits')}${system}: ${operation.type} waits for ${what}</h3>
    <p>Started ${age(startedAt, nowMs)}. ${runLink(engine.ui, operation)}</p>
    ${
      plan === undefined
        ? undefined
        : html`<details id="plan-${operation.runId}">
            <summary>The plan</summary>
            ${planView(plan, nowMs)}
          </details>`
    }
    <p>To approve exactly this plan:</p>
    ${approve === undefined ? html`<p>Its plan can't be asked for now: no worker answers. See ${command(`holdfast watch ${workflowId}`)}</p>` : command(approve)}
    <p>To refuse it:</p>
    ${command(reject)}
  </article>`;
}

function findingItem({ system, check, subject, severity, what, hint, since }: Finding, nowMs: number): Html {
  const level = severity === 'critical' ? 'danger' : 'attention';
  return html`<article class="item ${level}">
    <h3>${icon(level)}${system}: ${what}</h3>
    <p class="quiet">
      ${findingId({ check, subject })}${since === undefined ? undefined : html`, since ${age(since, nowMs)}`}
    </p>
    ${hinted(hint)}
  </article>`;
}

/** A hint may be a command, or a sentence. */
function hinted(hint: string): Html {
  return /^(holdfast|temporal|npm) [^.]*$/.test(hint) ? command(hint) : html`<p>${hint}</p>`;
}

function incidentItem(system: string, incident: IncidentFacts, engine: EngineFacts, nowMs: number): Html {
  const { finding, state, openedAt, level, levelName, nextAt, acknowledgedBy, timeline } = incident.state;
  const tone = state === 'acknowledged' ? 'none' : finding.severity === 'critical' ? 'danger' : 'attention';
  const told =
    level === 0 ? 'nobody was told yet' : `told level ${level}${levelName === undefined ? '' : ` (${levelName})`}`;
  return html`<article class="item ${tone}" id="incident-${incident.runId}">
    <h3>${icon(tone)}${system}: ${finding.what}</h3>
    <p class="quiet">${findingId(finding)}</p>
    ${hinted(finding.hint)}
    <p>
      ${state === 'acknowledged' ? mark('none', `acknowledged by ${acknowledgedBy ?? 'somebody'}`) : mark(tone, 'open')}
      opened ${age(openedAt, nowMs)}, ${told}${nextAt === undefined ? undefined : html`, next ${age(nextAt, nowMs)}`}.
      ${runLink(engine.ui, incident)}
    </p>
    ${
      state === 'acknowledged'
        ? undefined
        : html`<p>To say that somebody is on it, so that nobody else is told:</p>
            ${command(`holdfast ack ${system} ${findingId(finding)}`)}`
    }
    <details id="timeline-${incident.runId}">
      <summary>What happened</summary>
      ${timelineView(timeline)}
    </details>
  </article>`;
}
