/** What runs at this moment, and what has ended. */
import { amountText } from '../../observe/progress.ts';
import { isForPeople } from '../../status/running.ts';
import type { ActivityProgress } from '../../workflows/contract.ts';
import type { EndedRun, EngineFacts, OperationFacts } from '../facts.ts';
import { doneBar } from '../draw/bar.ts';
import { html, type Html } from '../html.ts';
import { formatMilliseconds } from '../../observe/format.ts';
import type { Level } from '../verdict.ts';
import { icon } from './icons.ts';
import { age, emptyPart, mark, part, runLink, table } from './parts.ts';

/** What runs of these; what waits for a person stands elsewhere. */
export function runningView(operations: readonly OperationFacts[], engine: EngineFacts, nowMs: number): Html {
  const running = operations.filter(({ waitingFor }) => !isForPeople(waitingFor));
  if (running.length === 0) return emptyPart('running');
  return part('running', 'Running now', html`${running.map((one) => operationView(one, engine, nowMs))}`);
}

function operationView(operation: OperationFacts, engine: EngineFacts, nowMs: number): Html {
  const { type, phase, startedAt, waitingFor, trouble, steps, amounts } = operation;
  return html`<article class="operation">
    <h3>
      ${icon(waitingFor === undefined ? 'runs' : 'waits')}${type}
      <span class="quiet">${runLink(engine.ui, operation)}</span>
    </h3>
    <p>
      <strong>${phase ?? 'no worker answers'}</strong
      >${waitingFor === undefined ? undefined : html`, waits for ${waitingFor}`}, started ${age(startedAt, nowMs)}
    </p>
    ${amounts.map(amountView)} ${trouble === undefined ? undefined : html`<p class="warning">${trouble}</p>`}
    ${
      steps.length === 0
        ? undefined
        : html`<ol class="steps">
            ${inTheirOrder(steps).map(({ name, state }) => html`<li class="${state}">${name}<span class="hidden">: ${state}</span></li>`)}
          </ol>`
    }
  </article>`;
}

/** Steps that were not known beforehand stand last in the story, also when they were the first. */
function inTheirOrder(steps: OperationFacts['steps']): OperationFacts['steps'] {
  const ahead = ({ state }: OperationFacts['steps'][number]): number =>
    ['done', 'failed', 'running', 'waiting'].indexOf(state);
  return steps.toSorted((a, b) => ahead(a) - ahead(b));
}

function amountView(amount: ActivityProgress): Html {
  const { phase, bytesDone, bytesTotal } = amount;
  const text = amountText(amount);
  const words = text === '' ? phase : `${phase}: ${text}`;
  const share =
    bytesDone === undefined || bytesTotal === undefined || bytesTotal === 0 ? undefined : bytesDone / bytesTotal;
  return html`<div class="amount">
    ${words}${share === undefined ? undefined : html` (${Math.floor(Math.min(1, share) * 100)} %)${doneBar(words, share)}`}
  </div>`;
}

const LEVELS: Readonly<Record<EndedRun['outcome'], Level>> = {
  completed: 'safe',
  failed: 'danger',
  'timed out': 'danger',
  terminated: 'attention',
  cancelled: 'none',
};

export function endedView(ended: readonly EndedRun[], engine: EngineFacts, nowMs: number, most: number): Html {
  const rows = ended
    .slice(0, most)
    .map((run) => [
      runLink(engine.ui, run),
      run.type,
      html`${mark(LEVELS[run.outcome], run.outcome)}${run.why === undefined || run.why === '' ? undefined : html`<br /><span class="quiet">${run.why}</span>`}`,
      age(run.endedAt, nowMs),
      formatMilliseconds(Date.parse(run.endedAt) - Date.parse(run.startedAt)),
    ]);
  return table(
    'Operations that have ended, newest first',
    ['run', 'operation', 'outcome', 'ended', { title: 'took', kind: 'number' }],
    rows,
  );
}
